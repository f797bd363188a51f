"""The one table of texts of the report, keyed by language; a new language is a new entry with the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iobench.errors import UsageError, near_miss

_EN: Mapping[str, str] = {
    # what was measured
    "workload.seq-read": "Sequential read",
    "workload.seq-write": "Sequential write",
    "workload.dd-write": "File creation",
    "workload.dd-read": "File read back",
    "workload.rand-read": "Random read",
    "workload.rand-write": "Random write",
    "workload.rand-mixed": "Random read and write",
    "workload.dbench": "dbench",
    "workload.oltp": "MySQL OLTP",
    "workload.kvs": "Key-value store",
    "about.seq-read": "Large blocks, one after the other, read from the drive past the page cache.",
    "about.seq-write": "Large blocks, one after the other, written to the drive past the page cache.",
    "about.dd-write": "dd creates a file and brings it to the drive; the time it takes is what counts.",
    "about.dd-read": "dd reads a file from the drive past the page cache.",
    "about.rand-read": "Small blocks read from places all over the file, as a database does.",
    "about.rand-write": "Small blocks written to places all over the file, as a database does.",
    "about.rand-mixed": "Small blocks read from and written to places all over the file at once.",
    "op.read": "reads",
    "op.write": "writes",
    "op.get": "gets",
    "op.set": "sets",
    "op.all": "all",
    "metric.throughput": "throughput",
    "metric.iops": "IOPS",
    "metric.elapsed": "time",
    "metric.transactions": "transactions per second",
    "metric.queries": "queries per second",
    "metric.ops": "operations per second",
    "metric.hits": "hits per second",
    "metric.latency_mean": "mean latency",
    "metric.latency_p50": "p50 latency",
    "metric.latency_p90": "p90 latency",
    "metric.latency_p95": "p95 latency",
    "metric.latency_p99": "p99 latency",
    "metric.latency_p999": "p99.9 latency",
    "metric.latency_max": "longest latency",
    "load.outstanding": "I/Os outstanding (jobs × depth)",
    "load.clients": "clients",
    "load.threads": "threads",
    "load.connections": "connections",
    # how it was set
    "param.block_size": "{size} blocks",
    "param.direct": "direct",
    "param.buffered": "through the page cache",
    "param.engine": "{value}",
    "param.depth": "depth {value}",
    "param.jobs": "jobs {value}",
    "param.size": "{size} file",
    "param.flush": "flush {value}",
    "param.source": "{value} data",
    "param.duration_s": "{time} a step",
    "param.read_share": "{value} % reads",
    "param.layout": "blocks laid out by {value}",
    "param.other": "{name} {value}",
    "param.rate": "{value}/s offered",
    # charts
    "axis.plain": "{metric}, {unit}",
    "axis.log": "{title} (log scale)",
    "axis.lower": "{title} — less is better",
    "chart.emulated": "emulated",
    "chart.baseline": "baseline",
    "chart.not-measured": "not measured",
    "chart.none-shown": "no difference shown",
    "chart.invalid": "invalid: {reasons}",
    "chart.suspect": "{reasons}",
    "chart.at": "{reasons} at {loads}",
    "chart.alt.bar": "Bar chart: {title}.",
    "chart.alt.line": "Line chart: {title}.",
    "foot.median": "median of {n} rounds",
    "foot.medians": "median of {least} to {most} rounds",
    "foot.single": "single round, no interval",
    "foot.bars": "error bars: 95 % interval",
    "foot.band": "band: 95 % interval",
    "foot.emulated": "emulated drives",
    "foot.some-emulated": "{drives} emulated",
    "foot.shared": "hatched or hollow: every result here is marked {reasons} and supports no claim",
    "foot.throttle-only": "no latency or stability is shown for {drives}: only the rate is emulated",
    "foot.flat": "no stability is said of {drives}: only the rate is emulated, which is flat by construction",
    "foot.throttled": "not drawn, since an emulated drive's latency is that of its limit where it is reached: {drives}",
    "foot.stability": "lowest {metric} against the highest, from {since} to {load}: {shares}",
    "foot.share": "{drive} {share}",
    # findings
    "what.metric": "{workload}, {metric}",
    "what.load": "{what} at {load}",
    "say.ratio.seq-read.throughput": "{a} reads {r} times as fast as {b}",
    "say.ratio.seq-write.throughput": "{a} writes {r} times as fast as {b}",
    "say.ratio.dd-write.elapsed": "{a} takes {r} times as long as {b} to create the file",
    "say.ratio.dd-read.throughput": "{a} reads the file back {r} times as fast as {b}",
    "say.ratio.throughput": "{what}: {a} has {r} times the throughput of {b}",
    "say.ratio.iops": "{what}: {a} does {r} times the IOPS of {b}",
    "say.ratio.other": "{what}: the {metric} of {a} is {r} times that of {b}",
    "say.look": "{what}: {a} {ratio} {b}",
    "say.none": "{what}: no difference shown between {drives}",
    "say.figure": "{what}: {a} {value}",
    "say.figures": "{what}: {figures}",
    "say.figure-of": "{a} {value}",
    "say.stable": "{what}: {a} is stable: from {since} to {load} its lowest {metric} is {share} of its highest",
    "say.share": "{what}: from {since} to {load} the lowest {metric} of {a} is {share} of its highest",
    "say.unsound": "{what}: not sound, left out: {a} ({reasons})",
    "say.all-unsound": "{what}: not sound ({reasons})",
    "say.nothing": "{what}",
    "why.with": "{sentence} ({why})",
    "why.interval": "95 % interval {low} to {high}",
    "why.repeats": "{n} repeats",
    "why.look": "quick look, {n} rounds",
    "why.look-one": "single round",
    "why.marked": "marked {reasons}",
    "list.and": "{most} and {last}",
    "list.comma": ", ",
    "list.semicolon": "; ",
    # the page
    "page.title": "Storage comparison",
    "page.made": "measured {when}",
    "page.profile": "profile {name}",
    "page.campaign": "campaign {id}",
    "page.imported": "imported: these figures come without evidence",
    "page.skip": "Skip to the summary",
    "page.all-emulated": "All drives in this report are emulated.",
    "page.some-emulated": "Emulated in this report: {drives}.",
    "page.emulated-why": "Their speed was set by a profile; the figures show that the measurement is true, not what "
    "a drive can do.",
    "page.quick": "A quick look: with fewer than {claim} rounds, ratios and intervals are shown, and no claim is made.",
    "page.summary": "Summary",
    "page.glance": "At a glance",
    "page.findings": "Findings",
    "page.claims": "Held against the claims of the 2011 talk",
    "page.workloads": "Workloads",
    "page.drives": "Drives and host",
    "page.evidence": "Evidence for each number",
    "page.method": "Method",
    "page.unsound": "What was not sound, and why",
    "page.all-sound": "Every number in this report passed its evidence.",
    "page.no-rows": "No finished step in this campaign holds a figure yet. `iobench resume` goes on with an "
    "interrupted one.",
    "page.more": "All figures of this workload",
    "page.notes": "Notes",
    "page.host": "Host",
    "page.tools": "Programs",
    "page.evidence-intro": "Each line is one step; open it for its command, what the device counted against what the "
    "tool claims, and the rate over time.",
    "page.steps": "{n} steps",
    "page.steps-valid": "all valid",
    "page.steps-marked": "{n} not valid",
    "page.said-of": "{sentence} — {steps}",
    "page.and-more": "step {first} and {n} more",
    "page.footer": "Made by iobench {version}. The raw output of every program is kept in the campaign's folder.",
    "page.repeat": "How to repeat it",
    "page.repeat-text": "The profile, the versions and the parameters stand on this page; each step's command stands "
    "with its evidence.",
    # tables
    "col.drive": "Drive",
    "col.load": "Load",
    "col.median": "Median",
    "col.interval": "95 % interval",
    "col.repeats": "Repeats",
    "col.ratio": "Ratio to {baseline}",
    "col.ratio-interval": "Its 95 % interval",
    "col.difference": "Difference",
    "col.verdict": "Verdict",
    "col.metric": "Metric",
    "col.measure": "Measured",
    "col.step": "Step",
    "col.round": "Round",
    "col.value": "Value",
    "col.depth": "Depth",
    "col.device": "Device / tool bytes",
    "col.cpu": "CPU",
    "col.limited": "Limited by",
    "diff.higher": "higher",
    "diff.lower": "lower",
    "diff.none-shown": "none shown",
    "diff.baseline": "baseline",
    "verdict.valid": "valid",
    "verdict.suspect": "suspect",
    "verdict.invalid": "invalid",
    "limit.device": "device",
    "limit.client": "client",
    "limit.server": "server",
    "limit.cpu": "processor",
    "limit.link": "link",
    "limit.throttle": "throttle",
    "limit.unknown": "not known",
    "claim.reproduced": "reproduced",
    "claim.not-reproduced": "not reproduced",
    "claim.undecided": "undecided",
    "claim.rest": "Not measured: {statements}.",
    # drives
    "drive.kind": "Kind",
    "drive.model": "Model",
    "drive.serial": "Serial",
    "drive.bus": "Bus",
    "drive.device": "Device",
    "drive.size": "Size",
    "drive.sectors": "Sector, logical / physical",
    "drive.scheduler": "Scheduler",
    "drive.cache": "Write cache",
    "drive.filesystem": "File system",
    "drive.options": "Mount options",
    "drive.room": "Free of total",
    "drive.emulation": "Emulation profile",
    "drive.read_bps": "Set: read rate",
    "drive.write_bps": "Set: write rate",
    "drive.read_iops": "Set: reads",
    "drive.write_iops": "Set: writes",
    "drive.latency": "Set: latency",
    "drive.parallel": "Set: requests at once",
    "drive.throttle-only": "Latency is not emulated: only the rate is. Latency and stability are not shown.",
    "drive.rate-only": "Only the rate is emulated, and it is flat by construction: nothing is said of its stability.",
    "drive.no-device": "No device counters: {reason}",
    "drive.unknown": "Nothing else is known of this drive.",
    "drive.bus-rotating": "{bus}, rotating",
    # a step's evidence
    "step.no-command": "The command was not kept.",
    "step.tool": "Program",
    "step.started": "Started",
    "step.duration": "Measured for",
    "step.tool-bytes": "Tool's own bytes, read / written",
    "step.device-bytes": "Device's bytes, read / written",
    "step.device": "Device",
    "step.depth": "Depth, asked / achieved",
    "step.client-cpu": "CPU of the tool, cores",
    "step.system-cpu": "CPU of the machine, share",
    "step.busy": "Device busy, share",
    "step.cv": "Spread of the rate (CV)",
    "step.drift": "Drift of the rate",
    "step.background": "Bytes by others",
    "step.unwritten": "Bytes never written before",
    "step.temperature": "Temperature, °C",
    "step.params": "Asked",
    "step.series": "{metric}: {low} to {high} over {time}",
    # method
    "method.repeats": "Every drive is measured once a round, in an order that changes from round to round, "
    "so that drift falls on all alike. A figure is the median over the rounds with its 95 % interval.",
    "method.ratio": "A ratio is a drive's median over the baseline's, with a 95 % interval that takes the "
    "rounds as pairs. A difference is shown only where that interval excludes 1 and the ratio is more than "
    "{resolution} from 1; else the report says that no difference was shown.",
    "method.claims": "A sentence that claims something needs at least {claim} rounds and numbers that are all valid.",
    "method.percentiles": "Latency percentiles come from the merged histograms of all rounds; percentiles "
    "are never averaged.",
    "method.evidence": "Each step's bytes, as its tool claims them, are held against what the device "
    "counted. An invalid number is shown, marked and left out; a suspect one is shown, marked, and supports "
    "no claim.",
    "method.units": "MB is 10⁶ bytes, MiB is 2²⁰.",
}

TEXTS: Mapping[str, Mapping[str, str]] = {"en": _EN}
LANGUAGES = tuple(TEXTS)


class Words:
    """The texts of one language. Raises UsageError for a language that is not there."""

    def __init__(self, lang: str) -> None:
        if lang not in TEXTS:
            raise UsageError(f"there is no report in the language {lang!r}; {near_miss(lang, TEXTS)}")
        self.lang = lang
        self._table = TEXTS[lang]

    def __call__(self, key: str, /, **fields: object) -> str:
        """Return the text of a key with its fields filled in."""
        return self._table[key].format(**fields)

    def first(self, *keys: str, **fields: object) -> str:
        """Return the text of the first key that the table has; the last one must be there."""
        return self(next((key for key in keys if key in self._table), keys[-1]), **fields)

    def or_name(self, key: str, name: str) -> str:
        """Return the text of a key, or the name itself where the table has none."""
        return self._table.get(key, name)

    def every(self, items: Sequence[str]) -> str:
        """Return `a, b and c`."""
        if len(items) < 2:
            return "".join(items)
        return self("list.and", most=self("list.comma").join(items[:-1]), last=items[-1])

    def commas(self, items: Sequence[str]) -> str:
        """Return `a, b, c`."""
        return self("list.comma").join(items)
