//! Two pictures: how the runs of an experiment learn, and how the best one trades alarms for hits.
//!
//! The font is compiled in, because a build machine or a container may have none. A picture is
//! drawn at twice its size and averaged down: plotters fills thick lines without smoothing.
//!
//! The colours are those of Okabe and Ito, told apart with any kind of colour vision; the dashes
//! tell the rest, so that a print in grey can be read too.

use std::path::Path;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::data::Result;
use super::model::{AtThreshold, RocPoint};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 800;
/// How many times larger a picture is drawn than it is saved.
const ZOOM: u32 = 2;

const FONT: &str = "flights";
const INK: RGBColor = RGBColor(34, 34, 34);
const QUIET: RGBColor = RGBColor(85, 85, 85);
const GRID: RGBColor = RGBColor(228, 228, 228);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const PALETTE: [RGBColor; 6] = [
    RGBColor(213, 94, 0),
    BLUE,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// One run's curve.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its text in the legend.
    pub label: String,
    /// Position in the palette: runs that belong together share a colour.
    pub colour: usize,
    /// Tells apart the runs that share a colour.
    pub dashed: bool,
    /// (iteration, value), by iteration.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    fn ink(&self) -> RGBColor {
        PALETTE[self.colour % PALETTE.len()]
    }

    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }
}

/// Draws a metric by iteration, one line per run.
///
/// The legend stands to the right and is sorted as the lines end, from top to bottom.
pub fn metric_curves(path: &Path, title: &str, y_title: &str, lines: &[Line]) -> Result<()> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let x_end = all().map(|point| point.0).fold(1.0, f64::max);
    let low = all().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = all().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    if !(low.is_finite() && high.is_finite()) {
        return Err("nothing to draw: no finite value".into());
    }
    let x_start = all().map(|point| point.0).fold(x_end, f64::min);
    let room = ((high - low) * 0.06).max(1e-6);

    picture(path, title, |canvas| {
        let (left, right) = canvas.split_horizontally(px(855));
        let mut chart = ChartBuilder::on(&left)
            .margin(px(16))
            .margin_left(px(24))
            .margin_top(px(84))
            .x_label_area_size(px(64))
            .y_label_area_size(px(88))
            .build_cartesian_2d(x_start..x_end, low - room..high + room)?;
        let text = font(19).color(&QUIET);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(ZOOM))
            .axis_style(GRID.stroke_width(ZOOM))
            .x_desc("iteration")
            .y_desc(y_title)
            .x_labels(12)
            .y_labels(8)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.3}"))
            .label_style(text)
            .axis_desc_style(font(21).color(&INK))
            .draw()?;
        for line in lines {
            let stroke = line.ink().stroke_width(3 * ZOOM);
            let points = line.points.iter().copied();
            if line.dashed {
                let dashes = DashedLineSeries::new(points, px(10), px(7), stroke);
                chart.draw_series(dashes)?;
            } else {
                chart.draw_series(LineSeries::new(points, stroke))?;
            }
            // Where a run ends: lines of unequal length are not cut off, they have converged.
            let end = line.points.last().copied();
            let dot = |place| Circle::new(place, px(5), line.ink().filled());
            chart.draw_series(end.map(dot))?;
        }

        let mut ranked: Vec<&Line> = lines.iter().collect();
        ranked.sort_by(|a, b| b.last().total_cmp(&a.last()));
        right.draw(&label("run, and its last value", at(8, 96), 17, QUIET))?;
        for (place, line) in (0..).zip(ranked) {
            let y = 138 + 62 * place;
            let stroke = line.ink().stroke_width(4 * ZOOM);
            let sample = [at(8, y), at(46, y)];
            if line.dashed {
                let dashes = DashedPathElement::new(sample, px(10), px(7), stroke);
                right.draw(&dashes)?;
            } else {
                right.draw(&PathElement::new(sample, stroke))?;
            }
            right.draw(&label(&line.label, at(58, y), 19, INK))?;
            right.draw(&label(&format!("{:.4}", line.last()), at(58, y + 23), 17, QUIET))?;
        }
        Ok(())
    })
}

/// Draws a ROC curve, with some thresholds marked on it and explained beside it.
pub fn roc(path: &Path, title: &str, curve: &[RocPoint], marks: &[AtThreshold]) -> Result<()> {
    picture(path, title, |canvas| {
        let (left, right) = canvas.split_horizontally(px(800));
        let mut chart = ChartBuilder::on(&left)
            .margin(px(16))
            .margin_left(px(24))
            .margin_top(px(84))
            .x_label_area_size(px(64))
            .y_label_area_size(px(88))
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(ZOOM))
            .axis_style(GRID.stroke_width(ZOOM))
            .x_desc("flights on time that are called late")
            .y_desc("late flights that are found")
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{:.0} %", x * 100.0))
            .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
            .label_style(font(19).color(&QUIET))
            .axis_desc_style(font(21).color(&INK))
            .draw()?;

        let points: Vec<(f64, f64)> = curve.iter().map(|point| (point.fpr, point.tpr)).collect();
        let mut area = points.clone();
        area.push((1.0, 0.0));
        chart.draw_series([Polygon::new(area, BLUE.mix(0.10))])?;
        let chance = [(0.0, 0.0), (1.0, 1.0)];
        let stroke = QUIET.stroke_width(ZOOM);
        chart.draw_series(DashedLineSeries::new(chance, px(6), px(6), stroke))?;
        chart.draw_series(LineSeries::new(points, BLUE.stroke_width(3 * ZOOM)))?;

        right.draw(&label("call a flight late from", at(8, 96), 17, QUIET))?;
        for (place, mark) in (0..).zip(marks) {
            let name = char::from(b'A' + place);
            let found = curve.iter().take_while(|point| point.threshold >= mark.threshold).last();
            let Some(point) = found else { continue };
            let spot = (point.fpr, point.tpr);
            chart.draw_series([Circle::new(spot, px(7), WHITE.filled())])?;
            chart.draw_series([Circle::new(spot, px(5), PALETTE[0].filled())])?;
            let style = font(20).color(&INK).pos(Pos::new(HPos::Left, VPos::Top));
            let shift = (px(9), px(3));
            let name_tag = EmptyElement::at(spot) + Text::new(name.to_string(), shift, style);
            chart.draw_series([name_tag])?;

            let y = 140 + 112 * i32::from(place);
            right.draw(&Circle::new(at(16, y), px(6), PALETTE[0].filled()))?;
            let head = format!("{name}   {:.0} % chance", mark.threshold * 100.0);
            right.draw(&label(&head, at(34, y), 20, INK))?;
            let recall = format!("finds {:.0} % of the late flights", mark.recall * 100.0);
            right.draw(&label(&recall, at(34, y + 28), 18, QUIET))?;
            let precision = format!("right in {:.0} % of its calls", mark.precision * 100.0);
            right.draw(&label(&precision, at(34, y + 54), 18, QUIET))?;
        }
        let y = 150 + 112 * i32::try_from(marks.len())?;
        let sample = [at(2, y), at(28, y)];
        right.draw(&DashedPathElement::new(sample, px(6), px(6), stroke))?;
        right.draw(&label("chance", at(34, y), 18, QUIET))?;
        Ok(())
    })
}

/// Gives a large canvas with a title to `draw`, and saves a small picture.
fn picture(path: &Path, title: &str, draw: impl FnOnce(&Canvas) -> Result<()>) -> Result<()> {
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font cannot be read")?;
    let large = (WIDTH * ZOOM, HEIGHT * ZOOM);
    let mut pixels = vec![255; (large.0 * large.1 * 3) as usize];
    {
        let canvas = BitMapBackend::with_buffer(&mut pixels, large).into_drawing_area();
        canvas.fill(&WHITE)?;
        canvas.draw(&label(title, at(28, 44), 28, INK))?;
        draw(&canvas)?;
        canvas.present()?;
    }

    let small = BitMapBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let mut sums = [0; 3];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let pixel = 3 * ((y * ZOOM + dy) * large.0 + x * ZOOM + dx) as usize;
                for (sum, value) in sums.iter_mut().zip(&pixels[pixel..pixel + 3]) {
                    *sum += u16::from(*value);
                }
            }
            let [r, g, b] = sums.map(|sum| (sum / 4) as u8);
            small.draw_pixel((x as i32, y as i32), &RGBColor(r, g, b))?;
        }
    }
    small.present()?;
    Ok(())
}

/// A length in pixels of the saved picture.
fn px(length: i32) -> i32 {
    length * ZOOM as i32
}

/// A place in pixels of the saved picture.
fn at(x: i32, y: i32) -> (i32, i32) {
    (x * ZOOM as i32, y * ZOOM as i32)
}

fn font(size: u32) -> TextStyle<'static> {
    (FONT, size * ZOOM).into()
}

/// Words that start at a place and are centred on its height.
fn label(
    words: &str,
    place: (i32, i32),
    size: u32,
    ink: RGBColor,
) -> Text<'static, (i32, i32), String> {
    let mut style = font(size).pos(Pos::new(HPos::Left, VPos::Center));
    style.color = ink.to_backend_color();
    Text::new(words.to_owned(), place, style)
}
