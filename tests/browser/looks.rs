//! How the page looks: no width makes it overflow, it prints on A4, both schemes have contrast. With
//! `STOREMIRROR_PICTURES=1` the pictures in `docs/images/` are made again, to be looked at.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::chrome::Chrome;
use super::{DESK, made, opened};

fn picture(name: &str) -> Option<PathBuf> {
    std::env::var_os("STOREMIRROR_PICTURES")?;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&folder).unwrap();
    Some(folder.join(name))
}

/// The height of the page down to its first charts.
fn upper_half(chrome: &mut Chrome) -> u32 {
    let bottom = "Math.ceil(document.querySelector('#revenue').getBoundingClientRect().bottom + scrollY + 16)";
    u32::try_from(chrome.eval(bottom).as_u64().unwrap()).unwrap()
}

#[test]
fn no_width_makes_it_scroll_sideways() {
    let Some(mut chrome) = opened("no_width_makes_it_scroll_sideways") else { return };
    for (width, height) in [DESK, (768, 1024), (390, 844), (320, 640)] {
        chrome.open(&made().page(), (width, height));
        assert_eq!(chrome.eval("document.documentElement.scrollWidth"), width);
        // nothing that holds a text is cut: each card and label is as wide as what stands in it
        let cut = chrome.eval(
            "[...document.querySelectorAll('.card dd, .card dt, .card h3, h2, .lead, .legend li')]
               .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1 && !one.classList.contains('unseen'))
               .map((one) => one.textContent)",
        );
        assert_eq!(cut, json!([]), "at {width}");
        // the charts' labels do not run into each other, and none leaves its drawing
        let overlaps = chrome.eval(
            "[...document.querySelectorAll('svg.chart')].filter((svg) => svg.getBoundingClientRect().height > 0).flatMap((svg) => {
               const texts = [...svg.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
               const whole = svg.getBoundingClientRect();
               const outside = texts.filter(([, box]) => box.left < whole.left - 1 || box.right > whole.right + 4);
               const met = texts.filter(([, a], i) => texts.some(([, b], j) => j > i && a.left < b.right - 1 && b.left < a.right - 1 && a.top + 3 < b.bottom && b.top + 3 < a.bottom));
               return [...outside, ...met].map(([text]) => svg.closest('figure').id + ': ' + text); })",
        );
        assert_eq!(overlaps, json!([]), "at {width}");
        if width > 320
            && let Some(path) = picture(&format!("dashboard-{width}.png"))
        {
            let height = upper_half(&mut chrome);
            std::fs::write(path, chrome.screenshot(width, height)).unwrap();
        }
    }
}

#[test]
fn it_prints_on_a_few_a4_pages() {
    let Some(mut chrome) = opened("it_prints_on_a_few_a4_pages") else { return };
    let pdf = chrome.pdf();
    let text = String::from_utf8_lossy(&pdf);
    let pages = text.matches("/MediaBox").count();
    // A4 in points
    let a4 = text.matches("/MediaBox [0 0 594.9").count() + text.matches("/MediaBox [0 0 595").count();
    assert!((2..=8).contains(&pages) && pages == a4, "{pages} pages, {a4} of them A4");
    if let Some(path) = picture("dashboard-print.png") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("page.pdf"), pdf).unwrap();
        let made = Command::new("pdftoppm")
            .args(["-r", "70", "-png", "-f", "1", "-l", "1", "-singlefile", "page.pdf", "page"])
            .current_dir(folder.path())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "pictures of the print need pdftoppm");
        std::fs::copy(folder.path().join("page.png"), path).unwrap();
    }
}

#[test]
fn both_schemes_have_contrast_and_the_reader_chooses() {
    let Some(mut chrome) = opened("both_schemes_have_contrast_and_the_reader_chooses") else { return };
    // WCAG AA asks for 4.5 between a text and what lies behind it
    let faint = "(() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
      const light = ([r, g, b]) => [r, g, b].map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
      const behind = (one) => { for (let at = one; at; at = at.parentElement) { const color = rgb(getComputedStyle(at).backgroundColor); if (color[3] === 255) return color; } return [255, 255, 255]; };
      return [...document.querySelectorAll('h1, h2, h3, p, dt, dd, td, th button, .name, .legend li, code, summary, a, label, option, .chart text')]
        .filter((one) => one.textContent.trim())
        .map((one) => { const style = getComputedStyle(one); const ink = light(rgb(one.closest('svg') ? style.fill : style.color)); const ground = light(behind(one));
          return [(Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05), one.tagName + ' ' + one.textContent.slice(0, 30)]; })
        .filter(([ratio]) => ratio < 4.5).slice(0, 5).map(([ratio, text]) => ratio.toFixed(2) + ' ' + text);
    })()";
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        chrome.call("Emulation.setEmulatedMedia", features);
        assert_eq!(chrome.eval(faint), json!([]), "{scheme}");
        grounds.push(chrome.eval(ground));
        if scheme == "dark"
            && let Some(path) = picture("dashboard-dark.png")
        {
            let height = upper_half(&mut chrome);
            std::fs::write(path, chrome.screenshot(DESK.0, height)).unwrap();
        }
    }
    assert_ne!(grounds[0], grounds[1]);
    // the system says dark; the button says light, and dark again
    chrome.click("#theme");
    assert_eq!(chrome.eval(ground), grounds[0]);
    chrome.click("#theme");
    assert_eq!(chrome.eval(ground), grounds[1]);
}
