//! Lists of packages in the forms that scanners read: SPDX 2.3 and CycloneDX 1.5, as JSON.
//!
//! The same packages and time give the same text.

use std::fmt::Write as _;

use image_tree::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::package::PackageReport;
use super::version::VERSION;
use crate::recipe::packages::SbomFormat;

/// Returns the text of a list that was made at a time.
#[must_use]
pub fn text(format: SbomFormat, packages: &[PackageReport], time: Timestamp) -> String {
    let digest = digest(packages);
    let list = match format {
        SbomFormat::Spdx => spdx(packages, &digest, &shown(time)),
        SbomFormat::CycloneDx => cyclonedx(packages, &digest, &shown(time)),
    };
    format!("{list:#}\n")
}

/// Returns the digest of all packages, by which lists are named.
fn digest(packages: &[PackageReport]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for PackageReport { name, version, architecture, sha256, .. } in packages {
        for text in [name, version, architecture, sha256] {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
    }
    digest.finalize().into()
}

fn spdx(packages: &[PackageReport], digest: &[u8; 32], created: &str) -> Value {
    let id = |number: usize| format!("SPDXRef-Package-{number}");
    let list: Vec<Value> = packages
        .iter()
        .enumerate()
        .map(|(number, package)| {
            json!({
                "SPDXID": id(number),
                "name": package.name,
                "versionInfo": package.version,
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "NOASSERTION",
                "copyrightText": "NOASSERTION",
                "sourceInfo": format!("built from the source package {}", package.source),
                "checksums": [{ "algorithm": "SHA256", "checksumValue": package.sha256 }],
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": url(package),
                }],
            })
        })
        .collect();
    let relations: Vec<Value> = (0..packages.len())
        .map(|number| {
            json!({
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": id(number),
            })
        })
        .collect();
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "packages",
        "documentNamespace": format!("urn:uuid:{}", uuid(digest)),
        "creationInfo": { "created": created, "creators": [format!("Tool: rootcast-{VERSION}")] },
        "packages": list,
        "relationships": relations,
    })
}

fn cyclonedx(packages: &[PackageReport], digest: &[u8; 32], created: &str) -> Value {
    let components: Vec<Value> = packages
        .iter()
        .map(|package| {
            json!({
                "type": "library",
                "bom-ref": url(package),
                "name": package.name,
                "version": package.version,
                "purl": url(package),
                "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
                "properties": [{ "name": "rootcast:reason", "value": package.reason }],
            })
        })
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", uuid(digest)),
        "version": 1,
        "metadata": {
            "timestamp": created,
            "tools": { "components": [{ "type": "application", "name": "rootcast", "version": VERSION }] },
        },
        "components": components,
    })
}

fn uuid(digest: &[u8; 32]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Returns the package URL of a package.
fn url(package: &PackageReport) -> String {
    let PackageReport { name, version, architecture, vendor, .. } = package;
    let mut url = format!("pkg:deb/{}/{}@{}", escaped(vendor), escaped(name), escaped(version));
    // OK to ignore: writing to a string cannot fail.
    let _ = write!(url, "?arch={}", escaped(architecture));
    url
}

/// Returns a text with all but unreserved characters, and colons, as percent signs with two digits.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            true => escaped.push(char::from(byte)),
            // OK to ignore: writing to a string cannot fail.
            false => _ = write!(escaped, "%{byte:02X}"),
        }
        escaped
    })
}

/// Returns a time by the calendar, in UTC.
fn shown(time: Timestamp) -> String {
    const DAY: i64 = 86_400;
    let (days, seconds) = (time.seconds().div_euclid(DAY), time.seconds().rem_euclid(DAY));
    // Years that begin in March, in cycles of 400 with 146,097 days.
    let shifted = days.saturating_add(719_468);
    let (cycle, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + cycle * 400 + carry;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> PackageReport {
        PackageReport {
            name: "libstdc++6".to_owned(),
            version: "1:2.3-4+b1~x".to_owned(),
            architecture: "amd64".to_owned(),
            size: 7,
            sha256: "ab".repeat(32),
            reason: "requested".to_owned(),
            vendor: "debian".to_owned(),
            source: "gcc".to_owned(),
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_796_428_799, "2026-12-04T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(shown(Timestamp::from_seconds(seconds)), expected);
        }
    }

    #[test]
    fn both_forms_name_every_package() {
        let packages = [package()];
        for format in [SbomFormat::Spdx, SbomFormat::CycloneDx] {
            let text = super::text(format, &packages, Timestamp::EPOCH);
            assert_eq!(text, super::text(format, &packages, Timestamp::EPOCH));
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let (url, sum, version) = match format {
                SbomFormat::Spdx => {
                    let package = &value["packages"][0];
                    let url = &package["externalRefs"][0]["referenceLocator"];
                    (
                        url.clone(),
                        package["checksums"][0]["checksumValue"].clone(),
                        package["versionInfo"].clone(),
                    )
                }
                SbomFormat::CycloneDx => {
                    let package = &value["components"][0];
                    let sum = package["hashes"][0]["content"].clone();
                    (package["purl"].clone(), sum, package["version"].clone())
                }
            };
            assert_eq!(url, "pkg:deb/debian/libstdc%2B%2B6@1:2.3-4%2Bb1~x?arch=amd64");
            assert_eq!((sum, version), (Value::from("ab".repeat(32)), Value::from("1:2.3-4+b1~x")));
        }
        let other = [PackageReport { version: "2".to_owned(), ..package() }];
        assert_ne!(digest(&packages), digest(&other));
    }
}
