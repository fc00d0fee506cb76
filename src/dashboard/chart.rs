//! Charts as numbers: where each bar, line and text of an SVG stands. What is drawn comes in as cents; what goes out is
//! printed by `templates/figure.html` as it is. Nothing here knows a report.

use std::fmt;

/// In the units of the SVG's view box. The page shows a chart between 340 and 600 pixels wide, so one unit is about a pixel.
pub(super) const WIDTH: f64 = 480.0;
/// Room for the amounts at the axis.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 10.0;
/// Room for two lines of month names.
const BOTTOM: f64 = 34.0;
const COLUMNS_HEIGHT: f64 = 250.0;
/// The part of its place that a column fills.
const COLUMN_FILL: f64 = 0.68;
/// The part of its column that a nested bar fills.
const NESTED_FILL: f64 = 0.55;
/// A line of a bar chart: its label above, its bar below.
const BAR_LINE: f64 = 36.0;
const BAR_HEIGHT: f64 = 13.0;
/// At most so many steps on an axis: more lines than that are noise.
const MOST_STEPS: i64 = 5;
/// More month names than these do not fit beside each other.
const MOST_LABELS: usize = 13;

/// A coordinate, printed with at most one decimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Px(f64);

impl fmt::Display for Px {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        formatter.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: Px,
    pub(super) y: Px,
    pub(super) width: Px,
    pub(super) height: Px,
    pub(super) class: &'static str,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) x1: Px,
    pub(super) x2: Px,
    pub(super) y: Px,
    pub(super) class: &'static str,
}

#[derive(Debug)]
pub(super) struct Text {
    pub(super) x: Px,
    pub(super) y: Px,
    /// Its place against (x, y), and on which screens it is shown.
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// A place that answers with exact values when it is pointed at or reached by keyboard.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) x: Px,
    pub(super) y: Px,
    pub(super) width: Px,
    pub(super) height: Px,
    pub(super) text: String,
}

/// A drawing.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) height: Px,
    pub(super) lines: Vec<Line>,
    pub(super) bars: Vec<Bar>,
    pub(super) texts: Vec<Text>,
    pub(super) hits: Vec<Hit>,
}

/// One column or line of a chart.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) label: String,
    /// Below the label, where it differs from the one before.
    pub(super) sublabel: String,
    /// The values of the series, in cents.
    pub(super) values: Vec<i64>,
    /// What is said when it is pointed at.
    pub(super) text: String,
}

impl Chart {
    fn empty(height: f64) -> Self {
        Self { height: Px(height), lines: Vec::new(), bars: Vec::new(), texts: Vec::new(), hits: Vec::new() }
    }

    /// Columns whose values stand on each other: what is above zero upwards, what is below downwards.
    pub(super) fn stacked(items: &[Item], classes: &[&'static str]) -> Self {
        let sum = |item: &Item, sign: i64| item.values.iter().filter(|value| **value * sign > 0).sum::<i64>();
        let least = items.iter().map(|item| sum(item, -1)).min().unwrap_or(0);
        let most = items.iter().map(|item| sum(item, 1)).max().unwrap_or(0);
        let axis = Axis::new(least, most);
        let mut chart = Self::columns(items, &axis);
        for (index, item) in items.iter().enumerate() {
            let (x, width) = column(index, items.len(), COLUMN_FILL);
            let (mut above, mut below) = (0, 0);
            for (value, class) in item.values.iter().zip(classes) {
                let edge = if *value < 0 { &mut below } else { &mut above };
                chart.bar(&axis, x, width, (*edge, *edge + value), class);
                *edge += value;
            }
        }
        chart
    }

    /// Columns with a narrower one inside: a part within its whole.
    pub(super) fn nested(items: &[Item], classes: &[&'static str]) -> Self {
        let values = || items.iter().flat_map(|item| &item.values).copied();
        let axis = Axis::new(values().min().unwrap_or(0).min(0), values().max().unwrap_or(0));
        let mut chart = Self::columns(items, &axis);
        for (index, item) in items.iter().enumerate() {
            for (depth, (value, class)) in item.values.iter().zip(classes).enumerate() {
                let fill = if depth == 0 { COLUMN_FILL } else { COLUMN_FILL * NESTED_FILL };
                let (x, width) = column(index, items.len(), fill);
                chart.bar(&axis, x, width, (0, *value), class);
            }
        }
        chart
    }

    /// The frame of a column chart: axis, months, and a place to point at for each column.
    fn columns(items: &[Item], axis: &Axis) -> Self {
        let mut chart = Self::empty(COLUMNS_HEIGHT);
        for tick in axis.ticks() {
            let y = axis.y(tick);
            let class = if tick == 0 { "zero" } else { "grid" };
            chart.lines.push(Line { x1: Px(LEFT), x2: Px(WIDTH - RIGHT), y: Px(y), class });
            chart.texts.push(Text { x: Px(LEFT - 6.0), y: Px(y + 4.0), class: "end", text: short(tick) });
        }
        let every = items.len().div_ceil(MOST_LABELS).max(1);
        let mut sublabel = "";
        for (index, item) in items.iter().enumerate() {
            let (x, width) = column(index, items.len(), 1.0);
            chart.hits.push(Hit {
                x: Px(x),
                y: Px(TOP),
                width: Px(width),
                height: Px(COLUMNS_HEIGHT - TOP - BOTTOM),
                text: item.text.clone(),
            });
            if index % every == 0 {
                // a phone has room for every second one
                let class = if (index / every) % 2 == 1 { "mid wide" } else { "mid" };
                let x = Px(x + width / 2.0);
                chart.texts.push(Text { x, y: Px(COLUMNS_HEIGHT - 18.0), class, text: item.label.clone() });
                if item.sublabel != sublabel {
                    sublabel = &item.sublabel;
                    let (y, text) = (Px(COLUMNS_HEIGHT - 4.0), sublabel.to_owned());
                    chart.texts.push(Text { x, y, class: "mid", text });
                }
            }
        }
        chart
    }

    fn bar(&mut self, axis: &Axis, x: f64, width: f64, (from, to): (i64, i64), class: &'static str) {
        if from == to {
            return;
        }
        let (top, bottom) = (axis.y(from.max(to)), axis.y(from.min(to)));
        self.bars.push(Bar { x: Px(x), y: Px(top), width: Px(width), height: Px((bottom - top).max(0.5)), class });
    }

    /// Lines one under the other, each with its label, its first value in words, and its values as bars in each other.
    pub(super) fn bars(items: &[Item], classes: &[&'static str], value_text: impl Fn(&Item) -> String) -> Self {
        let mut chart = Self::empty(BAR_LINE * float(items.len()) + 4.0);
        let most = items.iter().flat_map(|item| &item.values).copied().max().unwrap_or(0).max(1);
        for (index, item) in items.iter().enumerate() {
            let top = BAR_LINE * float(index);
            chart.texts.push(Text { x: Px(0.0), y: Px(top + 13.0), class: "start", text: item.label.clone() });
            chart.texts.push(Text { x: Px(WIDTH), y: Px(top + 13.0), class: "end value", text: value_text(item) });
            for (depth, (value, class)) in item.values.iter().zip(classes).enumerate() {
                let inset = 3.5 * float(depth);
                let length = (WIDTH * amount(*value) / amount(most)).max(0.0);
                chart.bars.push(Bar {
                    x: Px(0.0),
                    y: Px(top + 18.0 + inset),
                    width: Px(length),
                    height: Px(BAR_HEIGHT - 2.0 * inset),
                    class,
                });
            }
            chart.hits.push(Hit {
                x: Px(0.0),
                y: Px(top),
                width: Px(WIDTH),
                height: Px(BAR_LINE),
                text: item.text.clone(),
            });
        }
        chart
    }

    /// Lines one under the other with one bar for each of `heads`, drawn on a scale of the line's own: its values share a
    /// currency, those of different lines do not. What is below zero is outlined.
    pub(super) fn grid(
        items: &[Item],
        heads: &[&str],
        classes: &[&'static str],
        words: impl Fn(i64) -> String,
    ) -> Self {
        const HEAD: f64 = 20.0;
        const LABEL: f64 = 44.0;
        let mut chart = Self::empty(HEAD + BAR_LINE * float(items.len()) + 4.0);
        let place = (WIDTH - LABEL) / float(heads.len().max(1));
        for (index, head) in heads.iter().enumerate() {
            let x = Px(LABEL + place * float(index));
            chart.texts.push(Text { x, y: Px(12.0), class: "start head", text: (*head).to_owned() });
        }
        for (line, item) in items.iter().enumerate() {
            let top = HEAD + BAR_LINE * float(line);
            let most = item.values.iter().map(|value| value.abs()).max().unwrap_or(0).max(1);
            chart.lines.push(Line { x1: Px(0.0), x2: Px(WIDTH), y: Px(top), class: "grid" });
            chart.texts.push(Text { x: Px(0.0), y: Px(top + 15.0), class: "start head", text: item.label.clone() });
            for (index, value) in item.values.iter().enumerate() {
                let x = LABEL + place * float(index);
                let class = if *value == 0 { "start none" } else { "start" };
                chart.texts.push(Text { x: Px(x), y: Px(top + 15.0), class, text: words(*value) });
                let length = ((place - 10.0) * amount(value.abs()) / amount(most)).max(0.0);
                if *value != 0 {
                    chart.bars.push(Bar {
                        x: Px(x),
                        y: Px(top + 20.0),
                        width: Px(length.max(1.0)),
                        height: Px(9.0),
                        class: if *value < 0 { "below" } else { classes[index % classes.len()] },
                    });
                }
            }
            chart.hits.push(Hit {
                x: Px(0.0),
                y: Px(top),
                width: Px(WIDTH),
                height: Px(BAR_LINE),
                text: item.text.clone(),
            });
        }
        chart
    }
}

/// Where a column stands, and how wide it is.
fn column(index: usize, columns: usize, fill: f64) -> (f64, f64) {
    let place = (WIDTH - LEFT - RIGHT) / float(columns.max(1));
    // few columns are not drawn as walls
    let width = (place * fill).min(if fill < 1.0 { 64.0 * fill } else { place });
    (LEFT + place * float(index) + (place - width) / 2.0, width)
}

/// An axis from a round amount below to a round amount above, in round steps.
struct Axis {
    least: i64,
    most: i64,
    step: i64,
}

impl Axis {
    fn new(least: i64, most: i64) -> Self {
        let (least, most) = (least.min(0), most.max(0));
        let step = round_step((most - least).max(1));
        // an axis without any height has one step
        let top = most.div_euclid(step) + i64::from(most % step != 0 || most == 0 && least == 0);
        Self { least: least.div_euclid(step) * step, most: top * step, step }
    }

    fn ticks(&self) -> impl Iterator<Item = i64> + use<> {
        let (least, step) = (self.least, self.step);
        (0..=(self.most - least) / step).map(move |index| least + index * step)
    }

    fn y(&self, value: i64) -> f64 {
        let height = COLUMNS_HEIGHT - TOP - BOTTOM;
        TOP + height * amount(self.most - value) / amount((self.most - self.least).max(1))
    }
}

/// A step of 1, 2 or 5 times a power of ten, in cents, of which at most [`MOST_STEPS`] cover the range.
fn round_step(range: i64) -> i64 {
    let mut power = 100;
    loop {
        for factor in [1, 2, 5] {
            if range <= power * factor * MOST_STEPS {
                return power * factor;
            }
        }
        power *= 10;
    }
}

/// An amount for an axis: `250k`, `1.5M`.
fn short(cents: i64) -> String {
    let units = cents / 100;
    let (size, unit) = match units.abs() {
        1_000_000.. => (1_000_000, "M"),
        1_000.. => (1_000, "k"),
        _ => return units.to_string(),
    };
    let tenths = units * 10 / size;
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        rest => format!("{}{}.{}{unit}", if tenths < 0 { "-" } else { "" }, (tenths / 10).abs(), rest.abs()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a drawing is not exact to the cent")]
fn amount(cents: i64) -> f64 {
    cents as f64
}

#[expect(clippy::cast_precision_loss, reason = "a chart has a few dozen parts")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_round_steps_and_holds_what_is_drawn() {
        for (least, most, expected) in [
            (0, 0, vec!["0", "1"]),
            (0, 12_345_600, vec!["0", "50k", "100k", "150k"]),
            (0, 20_000_000, vec!["0", "50k", "100k", "150k", "200k"]),
            (-130_000, 260_000, vec!["-2k", "-1k", "0", "1k", "2k", "3k"]),
            (-50, 0, vec!["-1", "0"]),
            (0, 640_000_000, vec!["0", "2M", "4M", "6M", "8M"]),
            (0, 700_000, vec!["0", "2k", "4k", "6k", "8k"]),
            (-10_000, 740_000, vec!["-2k", "0", "2k", "4k", "6k", "8k"]),
        ] {
            let axis = Axis::new(least, most);
            assert_eq!(axis.ticks().map(short).collect::<Vec<_>>(), expected, "{least}..{most}");
            assert!(axis.least <= least && axis.most >= most);
        }
        assert_eq!([short(150_000), short(-150_000), short(-50_000)], ["1.5k", "-1.5k", "-500"]);
    }

    #[test]
    fn a_stack_is_as_high_as_its_sum_and_what_is_negative_hangs_down() {
        let item = Item { values: vec![30_000, 20_000, -10_000, 0], ..Item::default() };
        let chart = Chart::stacked(&[item], &["a", "b", "c", "d"]);
        let [first, second, third] = &chart.bars[..] else { panic!("{:?}", chart.bars) };
        let close = |left: f64, right: f64| (left - right).abs() < 0.01;
        // the second stands on the first, the third hangs below the zero line that the first stands on
        assert!(close(second.y.0 + second.height.0, first.y.0));
        assert!(close(first.y.0 + first.height.0, third.y.0));
        assert!(close(first.height.0, 3.0 * third.height.0));
    }
}
