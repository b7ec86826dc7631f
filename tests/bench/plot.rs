//! Plots of cost against size.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext, SeriesLabelPosition},
    coord::{
        cartesian::Cartesian2d,
        combinators::{IntoLogRange as _, LogCoord},
    },
    drawing::IntoDrawingArea as _,
    element::{Circle, PathElement},
    series::LineSeries,
    style::{BLACK, Color as _, RGBColor, WHITE},
};

use crate::live::{Chart, Contender, Outcome};

/// Width and height, pixels.
const SIZE: (u32, u32) = (760, 440);
/// Font of all text, as the viewer resolves it.
const FONT: &str = "sans-serif";

/// The plotted contenders and their colours, which colour-blind readers can distinguish, too.
const SERIES: [(Contender, RGBColor); 6] = [
    (Contender::Hep, RGBColor(213, 94, 0)),
    (Contender::NftLinear, RGBColor(0, 114, 178)),
    (Contender::NftSet, RGBColor(86, 180, 233)),
    (Contender::NftMap, RGBColor(204, 121, 167)),
    (Contender::Iptables, RGBColor(0, 158, 115)),
    (Contender::Ipset, RGBColor(148, 148, 148)),
];

/// Draws each kind of comparison in each family into a file of `directory`.
pub(crate) fn draw(outcomes: &[Outcome], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    for (chart, file, axis) in [
        (Chart::Rules, "rules", "rules, of which the last accepts"),
        (Chart::Members, "sets", "members of the set"),
        (Chart::Flows, "flows", "established flows"),
    ] {
        for (v6, family) in [(false, "IPv4"), (true, "IPv6")] {
            let path = directory.join(format!("{file}-{}.svg", family.to_lowercase()));
            let lines = lines(outcomes, chart, v6);
            if lines.iter().all(|line| line.points.len() < 2) {
                continue;
            }
            plot(
                &path,
                &format!("Added cost of a packet, {family}"),
                axis,
                &lines,
            )
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
            println!("plotted {}", path.display());
        }
    }
    Ok(())
}

/// Two logarithmic axes in an image.
type Axes<'area, 'file> =
    ChartContext<'area, SVGBackend<'file>, Cartesian2d<LogCoord<f64>, LogCoord<f64>>>;

/// A contender's points: size and added nanoseconds.
struct Line {
    contender: Contender,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// The lines of one plot.
fn lines(outcomes: &[Outcome], chart: Chart, v6: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = SERIES
        .map(|(contender, color)| Line {
            contender,
            color,
            points: Vec::new(),
        })
        .into();
    for outcome in outcomes {
        if outcome.chart != chart || outcome.v6 != v6 {
            continue;
        }
        for score in &outcome.scores {
            let line = lines
                .iter_mut()
                .find(|line| line.contender == score.contender);
            if let (Some(line), None) = (line, &score.absent) {
                line.points.push((
                    f64::from(u32::try_from(outcome.size).unwrap_or(u32::MAX)),
                    // A logarithm wants what is above 0.
                    score.added_ns.max(1.0),
                ));
            }
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines
}

/// Draws one plot, both axes logarithmic.
fn plot(
    path: &Path,
    title: &str,
    axis: &str,
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let widest = points().map(|(size, _)| *size).fold(1.0, f64::max);
    let narrowest = points().map(|(size, _)| *size).fold(widest, f64::min);
    let highest = points().map(|(_, cost)| *cost).fold(100.0, f64::max);

    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(
            (narrowest..widest * 1.15).log_scale(),
            (10.0..highest * 2.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc(axis)
        .y_desc("nanoseconds a packet, above none")
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .bold_line_style(BLACK.mix(0.15))
        .light_line_style(BLACK.mix(0.05))
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&|value| number(*value))
        .draw()?;
    for line in lines {
        curve(&mut chart, line)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FONT, 14))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Draws a line with its points and its entry in the legend.
fn curve<'area, 'file>(
    chart: &mut Axes<'area, 'file>,
    line: &Line,
) -> Result<(), Box<dyn std::error::Error>>
where
    'file: 'area,
{
    let color = line.color;
    let width = if line.contender == Contender::Hep {
        4
    } else {
        2
    };
    let points = line.points.iter().copied();
    chart
        .draw_series(LineSeries::new(points.clone(), color.stroke_width(width)))?
        .label(line.contender.name())
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], color.stroke_width(width)));
    chart.draw_series(points.map(|point| Circle::new(point, 4, color.filled())))?;
    Ok(())
}

/// A number with its thousands apart.
fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
