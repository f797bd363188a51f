"""What a customer must not see is nowhere: not in a report of any format, not in an archive."""

import itertools
import json
import re
import shutil
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import Measured, make_campaign

from iobench import proc, report
from iobench.analysis.compare import compare
from iobench.campaign import archive
from iobench.model import Campaign, Device, Passport, Target, of_drive
from iobench.redact import Redactor, redacted
from iobench.report import evidence, pdf
from iobench.results import CampaignFolder, Store, to_json
from iobench.texts import Phrase, kept

SECRETS = (
    *("db-tokyo-07", "db-tokyo-07.customer.example", "S3Z9NX0M4", "0x5002538e40abcdef", "5002538e40abcdef"),
    *("tanaka", "/srv/customer-a", "192.0.2.17", "2001:db8::17", "52:54:00:12:34:56"),
    *("192.0.2.18", "192.0.2.19", "fe80::17"),
    *("9f1c1f6e-70a5-4c8f-8f5e-2c7f0d3c9b11", "ops@customer.example"),
    *("suzuki", "vg-tokyo", "shopdb", "appuser", "db9", "customer.example", "tokyo-rack", "kddi", "osaka-db-3"),
)
# Each is where nothing but its form tells it: paths of others, volumes, settings of a program.
PLANTED = (
    "/opt/suzuki/venv/bin/python3.11 -P -m iobench.kvs /data/suzuki/results/x/config.json",
    "-c /nfs/suzuki/my.load TMPDIR=/scratch/suzuki unix:/tmp/suzuki-1/memcached.sock /srv/suzuki",
    "/home/suzuki/suzuki-results/x /root/suzuki/y /home/suzuki /Users/suzuki/Library",
    "/dev/mapper/vg-tokyo-data /dev/disk/by-label/vg-tokyo (rw,username=suzuki,domain=KDDI,upperdir=/x/suzuki)",
    'mysql-user="appuser"\nmysql-host=\'db9\'\nmysql-password="suzuki"\nmysql-db=shopdb\n',
    'source = "learnt from osaka-db-3, campaign 20250101-000000, 2025-01-01"',
    "Access denied for user 'appuser'@'db9' to database 'shopdb', customer.example: tokyo-rack.customer.example",
)
RAW = (
    "Host DB-TOKYO-07 at 192.0.2.17 and [2001:db8::17], 192.0.2.18:3306, "
    "192.0.2.19:/srv, fe80::17: refused, mac 52:54:00:12:34:56, 12:30:15, 127.0.0.1, fio-3.33 "
    "/home/tanaka/iobench/results/x /dev/disk/by-id/ata-SAMSUNG_S3Z9NX0M4-part1 /srv/customer-a/.iobench-1/file "
    'uuid 9f1c1f6e-70a5-4c8f-8f5e-2c7f0d3c9b11 ops@customer.example {"serial_number": "S3Z9NX0M4", "wwn": "x 1"}\n'
)


NOTE = of_drive("db-tokyo-07", Phrase("nodevice.memory", {"path": "/home/tanaka/x", "filesystem": "tmpfs"}))


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    rates = {"throughput": [1e8, 1.1e8, 1.2e8, 1.1e8, 1e8]}
    made = make_campaign(tmp_path / "home" / "results", Measured("sas", rates), Measured("db-tokyo-07", rates))
    where = made.path / "campaign.json"
    campaign = made.campaign()
    where.write_text(json.dumps(to_json(_named(campaign))), encoding="utf-8")
    for step in made.finished():
        raw = made.raw(step)
        (raw / "stdout").write_text(RAW, encoding="utf-8")
        (raw / "stderr").write_text("\n".join(PLANTED), encoding="utf-8")
        argv = [
            *PLANTED[0].split(),
            "fio",
            "--output=/home/tanaka/results/x/fio.json",
            "--filename=/srv/customer-a/f",
            "192.0.2.17",
        ]
        (raw / "command.json").write_text(json.dumps({"argv": argv}), encoding="utf-8")
        sentence = {"reason": "too-short", "sentence": "On db-tokyo-07 drive S3Z9NX0M4 measured 3 s."}
        said = Phrase("judged.no-device", {"why": Phrase("nodevice.server", {"path": "/srv/customer-a"})})
        (raw / "findings.json").write_text(
            json.dumps([sentence, {"reason": "no-device", **kept(said)}]), encoding="utf-8"
        )
    lines = [{"event": "ended", "host": "db-tokyo-07"}, *({"event": "failed", "error": text} for text in PLANTED)]
    (made.path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    health = {"targets": {"sas": {"serial": SECRETS[2], "host": SECRETS[1], "path": "/srv/customer-a/x"}}}
    (made.path / "drives-before.json").write_text(json.dumps(health), encoding="utf-8")
    return made


def _named(campaign: Campaign) -> Campaign:
    passports = {
        name: replace(
            p,
            target=replace(p.target, path="/srv/customer-a"),
            device=Device(
                "sda", 8, i, 10**12, "SATA SSD", "SAMSUNG MZ7WD240", f"{SECRETS[2]}{i or ''}", wwn=SECRETS[3]
            ),
            mount_point="/srv/customer-a",
            mount_options="rw,username=suzuki,domain=KDDI,addr=192.0.2.17,upperdir=/x/suzuki,rsize=1048576",
        )
        for i, (name, p) in enumerate(campaign.passports.items())
    }
    source = Phrase("nodevice.network", {"source": "tokyo-rack:/export/vg-tokyo", "filesystem": "nfs4"})
    passports["nas"] = Passport(Target("nas", "/mnt/vg-tokyo"), None, no_device_reason=source)
    passports["shop"] = Passport(Target("shop", "mysql://appuser@db9:3306/shopdb", "server"), None)
    host = {**campaign.host, "name": SECRETS[1]}
    return replace(
        campaign, passports=passports, host=host, notes=("measured by ops@customer.example for tanaka", NOTE)
    )


def secrets_in(text: str) -> list[str]:
    # A user's name by itself is a word as any other: what goes is the path that it is in.
    return [secret for secret in SECRETS if secret != "tanaka" and secret.lower() in text.lower()] + re.findall(
        r"/(?:home|Users)/\w+", text
    )


def text_of(path: Path) -> str:
    """All that a file says: of a page also what its evidence opens to, of slides each part, of a PDF its metadata."""
    if path.suffix == ".pdf":
        return "".join(proc.capture(argv).stdout for argv in (["pdftotext", str(path), "-"], ["pdfinfo", str(path)]))
    if path.suffix == ".pptx":
        with zipfile.ZipFile(path) as parts:
            return "".join(parts.read(name).decode("utf-8", "replace") for name in parts.namelist())
    text = path.read_bytes().decode("utf-8", "replace")
    packed = re.search(r'id="packed">([^<]*)<', text)
    return text + "".join(evidence.unpack(packed[1])) if packed else text


def test_the_report_shows_them_unless_it_is_redacted(folder: CampaignFolder, tmp_path: Path) -> None:
    with_pdf = pdf.missing() is None and shutil.which("pdftotext") is not None
    formats = ("html", "csv", "png", "pptx", *(("pdf",) if with_pdf else ()))
    plain = report.build([folder], tmp_path / "plain", report.Options(formats))
    said = "".join(map(text_of, plain))
    assert len(secrets_in(said)) > 5, "the fixture holds what is to be hidden"
    out = report.build([folder], tmp_path / "out", report.Options(formats, redact=True))
    assert [path.name for path in out] == [path.name.replace("db-tokyo-07", "host-1") for path in plain]
    for path in out:
        assert secrets_in(text_of(path)) == [], path


def test_redacted_figures_are_the_same(folder: CampaignFolder) -> None:
    rows = compare([folder]).rows
    hidden = compare(redacted([folder])).rows
    assert [(r.workload, r.metric, [e.median for e in r.targets.values()]) for r in rows] == [
        (r.workload, r.metric, [e.median for e in r.targets.values()]) for r in hidden
    ]
    assert set(hidden[0].targets) == {"sas", "host-1"}


def test_an_archive_is_redacted_whole_and_comes_back(folder: CampaignFolder, tmp_path: Path) -> None:
    out = archive.export(folder, tmp_path / "x.tar.gz", redact=True)
    with tarfile.open(out.path) as packed:
        for member in packed:
            content = packed.extractfile(member)
            assert content is not None
            assert secrets_in(member.name) == []
            assert secrets_in(content.read().decode("utf-8", "replace")) == [], member.name
    taken = archive.take_in(out.path, Store(tmp_path / "elsewhere"))
    assert len(taken.finished()) == len(folder.finished())
    assert (taken.path / "drives-before.json").is_file() and (taken.path / "journal.jsonl").is_file()
    assert compare([taken]).rows[0].targets["sas"] == compare([folder]).rows[0].targets["sas"]
    stdout = (taken.path / "raw" / min(taken.finished()) / "stdout").read_text(encoding="utf-8")
    assert "12:30:15, 127.0.0.1, fio-3.33" in stdout, "times, versions and the machine itself stay"
    assert '"serial_number": "serial-1", "wwn": "wwn"' in stdout
    stderr = (taken.path / "raw" / min(taken.finished()) / "stderr").read_text(encoding="utf-8")
    assert "…/python3.11 -P -m iobench.kvs …/config.json" in stderr, "what was run can still be read"
    assert "rsize=1048576" in str(taken.campaign().passports["sas"].mount_options)
    names = {line["error"] for line in map(json.loads, (taken.path / "journal.jsonl").read_text().splitlines()[1:])}
    assert len(names) == len(PLANTED)


def test_two_hosts_remain_two(folder: CampaignFolder, tmp_path: Path) -> None:
    other = make_campaign(tmp_path / "b", Measured("sas", {"throughput": [1e8]}), id="20250102-000000")
    told = json.loads((other.path / "campaign.json").read_text())
    told["host"]["name"] = "db-osaka-01"
    (other.path / "campaign.json").write_text(json.dumps(told))
    names = [view.campaign().host["name"] for view in redacted([folder, other])]
    assert len(set(names)) == 2 and all(str(name).startswith("host-") for name in names)


def test_a_host_of_two_letters_goes_where_it_is_one(folder: CampaignFolder) -> None:
    told = json.loads((folder.path / "campaign.json").read_text())
    told["host"]["name"] = "vm"
    (folder.path / "campaign.json").write_text(json.dumps(told))
    redactor = Redactor([folder])
    assert redactor.text("'root@vm' ignored, % root@VM: vmlinux vm.max root@vmware") == (
        "'root@host' ignored, % root@host: vmlinux vm.max root@vmware"
    )
    assert redactor.campaign(folder.campaign()).host["name"] == "host"


@given(text=st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    redactor = Redactor([])
    assert redactor.text(redactor.text(text)) == redactor.text(text)


def test_a_long_run_of_signs_takes_no_longer_than_its_length(folder: CampaignFolder) -> None:
    """Looked at anew from each of its signs, ten times the length would take a hundred times as long."""
    redactor = Redactor([folder])
    for run in ("x", "a:", "1.", "a-", "a@"):
        took = []
        for count in (10_000, 100_000):
            text = run * count + "g ops@customer.example 2001:db8::17"
            begins = [time.process_time()]
            for _ in range(3):
                assert redactor.text(text).endswith(" address address")
                begins.append(time.process_time())
            took.append(min(after - before for before, after in itertools.pairwise(begins)))
        assert took[1] < 40 * took[0] + 0.1, run
