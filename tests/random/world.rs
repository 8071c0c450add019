//! Random tables with random rows.

use rand::Rng;

use crate::expressions::Generator;
use crate::tree::Kind;

#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    /// The kinds of its columns `c0`, `c1`, …
    pub kinds: Vec<Kind>,
    /// Whether `c0` is the primary key, a whole number.
    pub has_key: bool,
    /// The rows, as SQL literals.
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Default)]
pub struct World {
    pub tables: Vec<Table>,
}

impl World {
    pub fn random(generator: &mut Generator) -> Self {
        let mut world = Self::default();
        for place in 0..generator.rng.random_range(2..4) {
            let mut kinds: Vec<_> = (0..generator.rng.random_range(2..6))
                .map(|_| match generator.one_in(7) {
                    true => generator.pick(&[Kind::List, Kind::Struct]),
                    false => generator.kind(),
                })
                .collect();
            let has_key = generator.one_in(3);
            if has_key {
                kinds[0] = Kind::Int;
            }
            let rows = generator.pick(&[0, 3, 8, 20, 40]);
            let rows = (0..rows).map(|row: usize| {
                let values = kinds.iter().enumerate();
                let values = values.map(|(place, kind)| match has_key && place == 0 {
                    true => (row * 3 % 64).to_string(),
                    false => value(generator, *kind),
                });
                values.collect()
            });
            let rows = rows.collect();
            world.tables.push(Table {
                name: format!("r{place}"),
                kinds,
                has_key,
                rows,
            });
        }
        world
    }

    /// Adds a table whose rows a CTE provides.
    pub fn add(&mut self, name: &str, kinds: Vec<Kind>) {
        self.tables.push(Table {
            name: name.to_string(),
            kinds,
            has_key: false,
            rows: Vec::new(),
        });
    }

    pub fn statements(&self) -> Vec<String> {
        let mut statements = Vec::new();
        for table in &self.tables {
            let columns = table.kinds.iter().enumerate();
            let columns: Vec<_> = columns
                .map(|(place, kind)| {
                    let key = match table.has_key && place == 0 {
                        true => " PRIMARY KEY",
                        false => "",
                    };
                    format!("c{place} {}{key}", kind.sql_type())
                })
                .collect();
            statements.push(format!(
                "CREATE TABLE {} ({})",
                table.name,
                columns.join(", ")
            ));
            // Several INSERTs, so that a durable table has several fragments.
            for rows in table.rows.chunks(7) {
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| format!("({})", row.join(", ")))
                    .collect();
                statements.push(format!(
                    "INSERT INTO {} VALUES {}",
                    table.name,
                    rows.join(", ")
                ));
            }
        }
        statements
    }

    /// Smaller worlds, each with fewer rows.
    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        for (place, table) in self.tables.iter().enumerate() {
            for parts in [2, 4, 16, 64] {
                let size = table.rows.len().div_ceil(parts).max(1);
                for part in 0..table.rows.len().div_ceil(size) {
                    let mut world = self.clone();
                    world.tables[place]
                        .rows
                        .drain(part * size..((part + 1) * size).min(table.rows.len()));
                    simpler.push(world);
                }
                if size == 1 {
                    break;
                }
            }
        }
        simpler
    }
}

fn value(generator: &mut Generator, kind: Kind) -> String {
    match generator.one_in(4) {
        true => "NULL".to_string(),
        false => generator.literal(kind).to_string(),
    }
}
