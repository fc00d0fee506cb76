#compdef storemirror
# zsh completion for storemirror: the program itself says what may stand at the
# cursor. Save it as _storemirror in a folder of $fpath, or source it after
# compinit.
_storemirror() {
    local mode='' line
    local -a bare spaced
    while IFS= read -r line; do
        if [[ -z $mode ]]; then
            mode=$line
        elif [[ ${line%%:*} == *= ]]; then
            bare+=("$line")
        else
            spaced+=("$line")
        fi
    done < <(STOREMIRROR_COMPLETE=zsh _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) \
        storemirror -- "${words[@]}" 2>/dev/null)
    if [[ $mode == files ]]; then
        _files
        return
    fi
    (( $#bare )) && _describe -V 'values' bare -S ''
    (( $#spaced )) && _describe -V 'values' spaced
}
if [[ $funcstack[1] == _storemirror ]]; then
    _storemirror "$@"
else
    compdef _storemirror storemirror
fi
