# bash completion for storemirror: the program itself says what may stand at the
# cursor. Source this file, or put it into a folder of bash-completion.
_storemirror() {
    local mode='' line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $mode ]]; then
            mode=$line
        else
            COMPREPLY+=("$line")
        fi
    done < <(STOREMIRROR_COMPLETE=bash \
        STOREMIRROR_COMPLETE_LINE="${COMP_LINE:0:COMP_POINT}" \
        STOREMIRROR_COMPLETE_BREAKS="$COMP_WORDBREAKS" \
        storemirror 2>/dev/null)
    # bash before version 4 has no compopt; there it ends every word with a space
    case $mode in
        files) compopt -o default 2>/dev/null ;;
        nospace) compopt -o nospace 2>/dev/null ;;
    esac
    return 0
}
complete -F _storemirror storemirror
