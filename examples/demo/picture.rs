//! The chart: the mean delay of flights, and the share of late flights, by hour of the day.

use std::error::Error;
use std::path::{Path, PathBuf};

use plotters::prelude::*;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::Failure;
use crate::flights::{Hour, LATE_MINUTES};
use crate::report::integers;

const SIZE: (u32, u32) = (1100, 620);
const BAR: RGBColor = RGBColor(86, 140, 196);
const LINE: RGBColor = RGBColor(196, 78, 50);
/// The bar of an hour with less than this share of all flights is pale: its mean is not reliable.
const FEW: f64 = 0.001;

/// Flights, delays and late flights of the 24 hours, computed by the engine.
pub async fn hours(engine: &DataFusionEngine) -> Result<Vec<Hour>, Failure> {
    let answer = engine
        .query(&format!(
            "SELECT date_part('hour', date) AS hour, count(*) AS flights, sum(delay) AS delay, \
             count(*) FILTER (WHERE delay > {LATE_MINUTES}) AS late FROM flights GROUP BY hour"
        ))
        .await?;
    let mut hours = vec![Hour::default(); 24];
    let columns = [
        integers(&answer, "hour")?,
        integers(&answer, "flights")?,
        integers(&answer, "delay")?,
        integers(&answer, "late")?,
    ];
    let [numbers, flights, delays, lates] = &columns;
    for (row, number) in numbers.iter().enumerate() {
        let hour = hours
            .get_mut(usize::try_from(*number)?)
            .ok_or_else(|| format!("{number} is not an hour of the day"))?;
        *hour = Hour {
            flights: flights[row],
            delay: delays[row],
            late: lates[row],
        };
    }
    Ok(hours)
}

/// Draws `delays-by-hour.svg` into a folder. Returns its path.
pub fn draw(hours: &[Hour], folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("delays-by-hour.svg");
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    chart(hours, &path).map_err(|error| format!("cannot draw {}: {error}", path.display()))?;
    Ok(path)
}

/// An hour with flights, as it is drawn.
struct Bar {
    hour: f64,
    mean_minutes: f64,
    late_percent: f64,
    is_few: bool,
}

fn bars(hours: &[Hour]) -> Vec<Bar> {
    let all: i64 = hours.iter().map(|hour| hour.flights).sum();
    let busy = hours
        .iter()
        .enumerate()
        .filter(|(_, hour)| hour.flights > 0);
    busy.map(|(number, hour)| Bar {
        hour: number as f64,
        mean_minutes: hour.delay as f64 / hour.flights as f64,
        late_percent: 100.0 * hour.late as f64 / hour.flights as f64,
        is_few: (hour.flights as f64) < FEW * all as f64,
    })
    .collect()
}

fn chart(hours: &[Hour], path: &Path) -> Result<(), Box<dyn Error>> {
    let bars = bars(hours);
    // Both axes have zero at the same height, for the bars and for the line.
    let top = next_ten(bars.iter().map(|bar| bar.mean_minutes).fold(10.0, f64::max));
    let bottom = -next_ten(bars.iter().map(|bar| -bar.mean_minutes).fold(0.0, f64::max));
    let percent = next_ten(bars.iter().map(|bar| bar.late_percent).fold(10.0, f64::max));
    let across = -0.6..23.6;

    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Flight delays by hour of the day", ("sans-serif", 28))
        .margin(18)
        .x_label_area_size(56)
        .y_label_area_size(72)
        .right_y_label_area_size(78)
        .build_cartesian_2d(across.clone(), bottom..top)?
        .set_secondary_coord(across, bottom * percent / top..percent);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(24)
        .x_label_formatter(&|hour| format!("{hour:02.0}"))
        .y_label_formatter(&|minutes| format!("{minutes:.0}"))
        .x_desc("Hour of the day")
        .y_desc("Mean delay (minutes)")
        .set_all_tick_mark_size(5)
        .label_style(("sans-serif", 16))
        .axis_desc_style(("sans-serif", 18))
        .draw()?;
    chart
        .configure_secondary_axes()
        .y_label_formatter(&|percent| match *percent < -0.5 {
            true => String::new(),
            false => format!("{:.0} %", percent.abs()),
        })
        .y_desc(format!("Flights more than {LATE_MINUTES} minutes late (%)"))
        .set_all_tick_mark_size(5)
        .label_style(("sans-serif", 16))
        .axis_desc_style(("sans-serif", 18))
        .draw()?;

    let pale = BAR.mix(0.35);
    for (is_few, color, label) in [
        (false, BAR.mix(1.0), "mean delay"),
        (true, pale, "mean delay, fewer than 1 in 1,000 flights"),
    ] {
        let of_kind: Vec<&Bar> = bars.iter().filter(|bar| bar.is_few == is_few).collect();
        if of_kind.is_empty() {
            continue;
        }
        chart
            .draw_series(of_kind.iter().map(|bar| {
                let corners = [(bar.hour - 0.38, 0.0), (bar.hour + 0.38, bar.mean_minutes)];
                Rectangle::new(corners, color.filled())
            }))?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x, y - 6), (x + 20, y + 6)], color.filled()));
    }

    let points: Vec<(f64, f64)> = bars
        .iter()
        .map(|bar| (bar.hour, bar.late_percent))
        .collect();
    chart
        .draw_secondary_series(std::iter::once(PathElement::new(
            points.clone(),
            LINE.stroke_width(3),
        )))?
        .label("share of late flights")
        .legend(|(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], LINE.stroke_width(3)));
    let dots = points.into_iter();
    chart.draw_secondary_series(dots.map(|point| Circle::new(point, 4, LINE.filled())))?;

    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperMiddle)
        .margin(14)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 16))
        .draw()?;
    root.present()?;
    Ok(())
}

fn next_ten(value: f64) -> f64 {
    (value / 10.0).ceil() * 10.0
}
