//! The same objects given to Traefik and to Sluice: both watch one API server, get the same requests, and must answer the
//! same, or differ as `docs/traefik-differences.md` says. Nobody writes down what an answer should be: Traefik is asked.
//!
//! The objects are `traefik/*.yaml`, one file a feature, as a user of Traefik would write them; the requests are in
//! [`rows`]. What is compared, and what is left out, is in [`observe`]. `SLUICE_TABLE=full` prints all that was observed.

mod ask;
mod differences;
mod documented;
mod observe;
mod request;
mod row;
mod rows;
mod stage;
mod table;
mod verdict;

use sluice_integration_tests::system::System;
use sluice_integration_tests::traefik::Traefik;

use self::stage::Stage;
use self::table::Table;

#[test]
fn the_same_objects_get_the_same_answers() {
    let traefik = Traefik::find().unwrap();
    let mut system = System::start().unwrap();
    let table = system.run(async |system| {
        let stage = Stage::set(system, &traefik).await?;
        let mut table = Table::default();
        for group in rows::groups() {
            for row in &group.rows {
                table.add(
                    &group,
                    row,
                    stage.traefik(row).await,
                    stage.sluice(row).await,
                );
            }
        }
        Ok(table)
    });
    let table = table.unwrap();
    table.print();
    table.require_truth().unwrap();
}

#[test]
fn there_are_many_rows_and_each_has_a_name_of_its_own() {
    let groups = rows::groups();
    let mut names: Vec<_> = groups
        .iter()
        .flat_map(|group| group.rows.iter().map(|row| (group.name, row.name)))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two rows have one name");
    assert!(all >= 150, "{all} rows");
}
