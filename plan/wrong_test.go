package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/plan"
)

// good is a job that wrong jobs are made from.
const good = `name: flights
params:
  files: flights.parquet
  top: 10
nodes:
  scan: {kind: scan, files: "${files}", out: flights}
  top: {kind: sort, in: flights, by: origin, limit: "${top}", out: ranked}
  show: {kind: print, in: ranked}
`

// TestAWrongJobIsExplained shows what people read when they make a mistake.
func TestAWrongJobIsExplained(t *testing.T) {
	tests := []struct {
		about  string
		job    string
		params map[string]string
		want   string
	}{
		// YAML
		{about: "nothing", job: "", want: `
job.yaml:1:1: expected a mapping with the nodes of the job under "nodes", got nothing`},
		{about: "a comment only", job: "# a job\n", want: `
job.yaml:1:1: expected a mapping with the nodes of the job under "nodes", got nothing`},
		{about: "a list", job: "- scan\n- print\n", want: `
job.yaml:1:1: expected a mapping with the nodes of the job under "nodes", got a list`},
		{about: "no closing bracket", job: "nodes:\n  scan: {kind: scan, files: [a, b\n", want: `
job.yaml:2:29: not valid YAML: sequence end token ']' not found`},
		{about: "no closing quote", job: "name: \"flights\nnodes:\n", want: `
job.yaml:1:7: not valid YAML: could not find end character of double-quoted text`},
		{about: "a tab", job: "nodes:\n\tscan:\n", want: `
job.yaml:2:1: not valid YAML: found character '	' that cannot start any token; indent with spaces`},
		{about: "wrong indentation", job: "nodes:\n  scan:\n    kind: scan\n   files: x\n", want: `
job.yaml:4:4: not valid YAML: value is not allowed in this context`},
		{about: "a parameter in a flow mapping", job: "nodes:\n  top: {kind: sort, limit: ${top}}\n", want: `
job.yaml:2:29: not valid YAML: ',' or '}' must be specified; inside { } and [ ] quote a parameter: "${name}"`},
		{about: "not text", job: "name: \xff\xfe\n", want: `
job.yaml:1:1: not a YAML file: it is not UTF-8 text`},
		{about: "two documents", job: good + "---\n" + good, want: `
job.yaml:9:1: a file holds one job: remove the second document`},
		{about: "two nodes of one name", job: good + "  scan: {kind: print, in: x}\n", want: `
job.yaml:9:3: "scan" is here a second time; it is already at line 6`},
		{about: "a setting twice", job: replace(good, "kind: print, in: ranked", "kind: print, in: ranked, in: flights"), want: `
job.yaml:8:35: "in" is here a second time; it is already at line 8`},
		{about: "anchors and aliases", job: "a: &a [x, x]\nb: [*a, *a]\nc: {<<: *a}\n", want: `
job.yaml:1:4: a job takes no YAML anchors (&name); write a parameter and ${name} instead
job.yaml:2:5: a job takes no YAML aliases (*name); write a parameter and ${name} instead, or quote a text that begins with *
job.yaml:2:9: a job takes no YAML aliases (*name); write a parameter and ${name} instead, or quote a text that begins with *
job.yaml:3:5: a job takes no YAML merge keys (<<); write a parameter and ${name} instead
job.yaml:3:9: a job takes no YAML aliases (*name); write a parameter and ${name} instead, or quote a text that begins with *`},
		{about: "a glob that YAML takes for an alias", job: replace(good, "files: flights.parquet", "files: *.parquet"), want: `
job.yaml:3:10: a job takes no YAML aliases (*name); write a parameter and ${name} instead, or quote a text that begins with *`},
		{about: "a tag", job: "nodes: !!map {}\n", want: `
job.yaml:1:8: a job takes no YAML tags; quote a text that begins with !`},
		{about: "a directive", job: "%YAML 1.2\n---\nnodes: {}\n", want: `
job.yaml:1:1: a job takes no YAML directives; remove the line`},
		{about: "a complex key", job: "? nodes\n: {}\n", want: `
job.yaml:1:1: a job takes no YAML complex keys; write key: value`},
		{about: "deep nesting", job: strings.Repeat("[", 100_000), want: `
job.yaml:1:33: nested more than 32 levels deep`},
		{about: "deep nesting in blocks", job: strings.Repeat("- ", 10_000), want: `
job.yaml:1:65: nested more than 32 levels deep`},
		{about: "a huge file", job: "#" + strings.Repeat(" ", 1<<20), want: `
job.yaml:1:1: not a job: it is larger than 256KiB`},

		// the job
		{about: "no nodes", job: "name: flights\n", want: `
job.yaml:1:1: a job needs at least one node, under "nodes"`},
		{about: "an empty mapping of nodes", job: "name: flights\nnodes:\n", want: `
job.yaml:2:1: a job needs at least one node, under "nodes"`},
		{about: "a list of nodes", job: "nodes: [scan, print]\n", want: `
job.yaml:1:8: nodes: expected a mapping of node names to their settings, got a list`},
		{about: "an unknown section", job: good + "chanels: {flights: {slots: 2}}\n", want: `
job.yaml:9:1: unknown key "chanels"; did you mean "channels"?`},
		{about: "a name that is a list", job: replace(good, "name: flights", "name: [flights]"), want: `
job.yaml:1:7: name: expected a text, got a list`},

		// nodes
		{about: "an unknown kind", job: replace(good, "kind: sort", "kind: srot"), want: `
job.yaml:7:15: node "top": unknown kind "srot"; did you mean "sort"?`},
		{about: "a kind like no other", job: replace(good, "kind: sort", "kind: explode"), want: `
job.yaml:7:15: node "top": unknown kind "explode"; have scan, filter, project, aggregate, distinct, join, union, broadcast, sort, limit, write, print`},
		{about: "no kind", job: replace(good, "kind: sort, ", ""), want: `
job.yaml:7:3: node "top": no kind given; have scan, filter, project, aggregate, distinct, join, union, broadcast, sort, limit, write, print`},
		{about: "a kind that is a list", job: replace(good, "kind: sort", "kind: [sort]"), want: `
job.yaml:7:15: node "top": kind: expected a text, got a list`},
		{about: "an unknown setting", job: replace(good, "limit:", "limits:"), want: `
job.yaml:7:46: node "top": unknown setting "limits" of kind sort; did you mean "limit"?`},
		{about: "a setting by another name", job: replace(good, "limit:", "TOP:"), want: `
job.yaml:7:46: node "top": unknown setting "TOP" of kind sort; did you mean "limit"?`},
		{about: "a setting that has to be there, by another name", job: replace(good, "by: origin", "keys: origin"), want: `
job.yaml:7:34: node "top": unknown setting "keys" of kind sort; did you mean "by"?`},
		{about: "a missing setting", job: replace(good, "by: origin, ", ""), want: `
job.yaml:7:3: node "top": setting "by" is missing: column to sort by, or a list of them: column [asc|desc] [nulls first|last], asc and nulls last if not said`},
		{about: "an empty setting", job: replace(good, "by: origin", "by: []"), want: `
job.yaml:7:38: node "top": setting "by" is empty: expected column to sort by, or a list of them: column [asc|desc] [nulls first|last], asc and nulls last if not said`},
		{about: "an empty text", job: good, params: map[string]string{"files": ""}, want: `
job.yaml:6:29: node "scan": setting "files" is empty: expected file, glob or folder of Parquet or CSV files, or a list of them, none of them twice; of a folder the *.parquet in it, or with format: csv the *.csv and *.tsv (small letters, hidden ones too, no subfolders); - is standard input, for CSV`},
		{about: "a text for a number", job: replace(good, `"${top}"`, "ten"), want: `
job.yaml:7:53: node "top": limit: expected a whole number, got "ten"`},
		{about: "a fraction for a whole number", job: replace(good, `"${top}"`, "1.5"), want: `
job.yaml:7:53: node "top": limit: expected a whole number, got 1.5`},
		{about: "a number that is too small", job: replace(good, `"${top}"`, "0"), want: `
job.yaml:7:53: node "top": limit: expected 1 or more, got 0`},
		{about: "a number that is too large", job: replace(good, `"${top}"`, "99999999999999999999"), want: `
job.yaml:7:53: node "top": limit: expected a whole number, got 99999999999999999999`},
		{about: "a mapping for a list", job: replace(good, "by: origin", "by: {origin: desc}"), want: `
job.yaml:7:38: node "top": by: expected a value or a list of values, got a mapping`},
		{about: "a list in a list", job: replace(good, "by: origin", "by: [[origin]]"), want: `
job.yaml:7:39: node "top": by: expected a single value, got a list`},
		{about: "a node that is a text", job: replace(good, "{kind: print, in: ranked}", "print"), want: `
job.yaml:8:9: node "show": expected a mapping with the kind and settings of the node, got "print"`},
		{about: "a node with a strange name", job: replace(good, "show:", "show me:"), want: `
job.yaml:8:3: node name "show me": use letters, digits, _, - and ., beginning with a letter`},
		{about: "an unknown sort order", job: replace(good, "by: origin", "by: [delay, origin dsc]"), want: `
job.yaml:7:53: node "top": by: expected asc, desc, nulls first or nulls last after the column, got dsc`},
		{about: "an unknown format", job: replace(good, "in: ranked}", "in: ranked, format: cvs}"), want: `
job.yaml:8:43: node "show": format: unknown format "cvs"; did you mean "csv"?`},
		{about: "an unknown function", job: aggregated("loudest(delay)"), want: `
job.yaml:3:46: node "sum": compute.x: unknown function "loudest"; have count, sum, mean, min, max, variance, stddev, variance_pop, stddev_pop, first, any`},
		{about: "a function that is called so elsewhere", job: aggregated("AVG(delay)"), want: `
job.yaml:3:46: node "sum": compute.x: unknown function "AVG"; did you mean mean(column)?`},
		{about: "a measure of an expression", job: aggregated("sum(delay > 15)"), want: `
job.yaml:3:56: node "sum": compute.x: expected ), got >; a measure is of one column, so compute that in a project before`},
		{about: "a text that YAML has cut", job: replace(good, "kind: sort, ", "kind: project, compute: {x: round(delay, 1), y: delay}, "), want: `
job.yaml:7:37: YAML ends the text at the comma; inside { } and [ ] quote a text that has one
job.yaml:7:78: node "top": unknown setting "by" of kind project; have columns, compute, workers
job.yaml:7:90: node "top": unknown setting "limit" of kind project; have columns, compute, workers`},
		{about: "an operator of another language", job: replace(good, "kind: sort", "kind: filter, where: delay > 1 && delay < 9"), want: `
job.yaml:7:40: node "top": where: unexpected '&'; write and for &&
job.yaml:7:67: node "top": unknown setting "by" of kind filter; have where, workers
job.yaml:7:79: node "top": unknown setting "limit" of kind filter; have where, workers`},
		{about: "a text in a list that YAML has cut", job: replace(good, "by: origin", "by: [if(a, b, c), d]"), want: `
job.yaml:7:39: YAML ends the text at the comma; inside { } and [ ] quote a text that has one`},
		{about: "a text that YAML cannot make anything of", job: replace(good, "kind: sort, ", "kind: project, compute: {x: strftime(date, '%Y')}, "), want: `
job.yaml:7:52: not valid YAML: could not find flow map content; inside { } and [ ] quote a text that has a comma, a colon or a brace`},
		{about: "a text that begins with a backtick", job: replace(good, "kind: print, in: ranked}", "kind: print, in: `ranked`}"), want: `
job.yaml:8:27: not valid YAML: '` + "`" + `' is a reserved character; quote a text that begins with it`},
		{about: "a misspelt function", job: aggregated("maen(delay)"), want: `
job.yaml:3:46: node "sum": compute.x: unknown function "maen"; did you mean "mean"?`},
		{about: "a function of nothing", job: aggregated("mean"), want: `
job.yaml:3:50: node "sum": compute.x: write mean(column) with the column it is of`},
		{about: "a function without its end", job: aggregated("mean(delay"), want: `
job.yaml:3:56: node "sum": compute.x: expected ), got the end`},
		{about: "a list of measures", job: replace(aggregated("count"), "{x: count}", "[count]"), want: `
job.yaml:3:42: node "sum": compute: expected a mapping of names to values, got a list`},
		{about: "a measure without a name", job: replace(aggregated("count"), "{x: count}", `{"": count}`), want: `
job.yaml:3:43: node "sum": compute: a name is empty`},
		{about: "a wrong condition", job: filtered("delay > > 60"), want: `
job.yaml:3:54: node "late": where: expected a column, a value or a function, got >`},
		{about: "a text without its end", job: filtered(`"origin = 'ORD"`), want: `
job.yaml:3:56: node "late": where: no closing '`},
		{about: "a wrong expression of a new column", job: replace(filtered("true"), "kind: filter, in: a, out: b, where: true", "kind: project, in: a, out: b, compute: {x: delay +}"), want: `
job.yaml:3:60: node "late": compute.x: expected a column, a value or a function, got the end`},
		{about: "no workers", job: good + "workers: 0\n", want: `
job.yaml:9:10: workers: expected 1 or more, got 0`},
		{about: "workers that are no number", job: good + "workers: many\n", want: `
job.yaml:9:10: workers: expected a whole number, got "many"`},

		// channels
		{about: "a misspelt channel", job: replace(good, "in: ranked", "in: rankd"), want: `
job.yaml:8:27: node "show": no node writes channel "rankd"; did you mean "ranked"?`},
		{about: "a channel nobody reads", job: replace(good, "  show: {kind: print, in: ranked}\n", ""), want: `
job.yaml:7:68: node "top": no node reads channel "ranked"; give it to one as in: ranked`},
		{about: "a channel read twice", job: replace(good, "in: ranked", "in: flights"), want: `
job.yaml:6:46: channel "flights" is read by "top" and "show", so that each would see only a part of the rows; put a node of kind broadcast between to give each all of them, or, if a part is meant, say so with channels: {flights: {shared: true}}
job.yaml:7:68: node "top": no node reads channel "ranked"; give it to one as in: ranked`},
		{about: "no input", job: replace(good, "in: ranked", "in: "), want: `
job.yaml:8:3: node "show": setting "in" is missing: kind print reads one channel`},
		{about: "a source with an input", job: replace(good, "kind: scan,", "kind: scan, in: ranked,"), want: `
job.yaml:6:26: node "scan": kind scan reads no channel; remove "in"`},
		{about: "two inputs", job: replace(good, "in: ranked", "in: [flights, ranked]"), want: `
job.yaml:8:37: node "show": kind print reads one channel, got 2`},
		{about: "a channel with a strange name", job: replace(good, "in: ranked", "in: a/b"), want: `
job.yaml:8:27: node "show": in: channel name "a/b": use letters, digits, _, - and ., beginning with a letter`},
		{about: "an empty channel name", job: replace(good, "in: ranked", `in: ""`), want: `
job.yaml:8:27: node "show": in: a channel name is empty`},
		{about: "an empty channel name in a list", job: replace(good, "out: flights", `out: [flights, ""]`), want: `
job.yaml:6:56: node "scan": out: a channel name is empty`},
		{about: "a channel name that is an empty parameter", job: replace(replace(good, "top: 10", "top: 10\n  c: ranked"), "in: ranked", `in: "${c}"`),
			params: map[string]string{"c": ""}, want: `
job.yaml:9:27: node "show": in: a channel name is empty`},
		{about: "a channel name that is no text", job: replace(good, "in: ranked", `in: [{}]`), want: `
job.yaml:8:28: node "show": in: expected a text, got a mapping`},
		{about: "a circle", job: "nodes:\n" +
			"  a: {kind: sort, in: x, by: k, out: y}\n" +
			"  b: {kind: sort, in: y, by: k, out: x}\n", want: `
job.yaml:2:3: node "a": the nodes wait for each other in a circle: "a" reads "b" reads "a"`},
		{about: "two that print", job: good +
			"  again: {kind: print, in: ranked}\nchannels: {ranked: {shared: true}}\n", want: `
job.yaml:9:3: node "again": a job prints once, and node "show" (line 8) does already`},
		{about: "two that write one file", job: replace(good, "{kind: print, in: ranked}", "{kind: write, in: ranked, file: a.csv}\n"+
			"  again: {kind: write, in: ranked, file: ./a.csv}\nchannels: {ranked: {shared: true}}"), want: `
job.yaml:9:3: node "again": node "show" (line 8) writes the same file`},
		{about: "settings of an unknown channel", job: good + "channels:\n  flihts: {slots: 2}\n", want: `
job.yaml:10:3: no node reads or writes channel "flihts"; did you mean "flights"?`},
		{about: "wrong settings of a channel", job: good + "channels:\n  flights: {slots: 0, bytes: 64MuB, size: 3}\n  ranked: {slots: 2.5, bytes: 0kB, shared: yes}\n", want: `
job.yaml:10:20: channel "flights": slots: expected 1 or more, got 0
job.yaml:10:30: channel "flights": bytes: size "64MuB": unknown unit "MuB"; did you mean "MiB"?
job.yaml:10:37: channel "flights": unknown setting "size" of a channel; have slots, bytes, shared
job.yaml:11:19: channel "ranked": slots: expected a whole number, got 2.5
job.yaml:11:31: channel "ranked": bytes: expected 1 or more, got "0kB"
job.yaml:11:44: channel "ranked": shared: expected true or false, got "yes"`},

		// device
		{about: "an unknown device", job: good + "device: gpu\n", want: `
job.yaml:9:9: device: unknown device "gpu"; write host, or cuda:0 for the first CUDA device`},
		{about: "a number of no device", job: good + "device: cuda:one\n", want: `
job.yaml:9:9: device: "cuda:one" is no device: CUDA devices are numbered from 0 on, as in cuda:0`},
		{about: "several devices", job: good + "device: [cuda:0, cuda:1]\n", want: `
job.yaml:9:9: device: expected a single value, got a list`},
		{about: "a device from a parameter", job: replace(good, "top: 10", "top: 10\n  gpu: hots") + "device: ${gpu}\n", want: `
job.yaml:10:9: device: unknown device "hots"; did you mean "host"? (parameter "gpu")`},

		// memory
		{about: "wrong limits", job: good + "memory: {hots: 1GiB, host: 12x, device: 120%, pinned: -1, disk: [1GiB]}\n", want: `
job.yaml:9:10: memory: unknown setting "hots" of memory; did you mean "host"?
job.yaml:9:28: memory: host: size "12x": unknown unit "x"; have B, KiB, kB, MiB, MB, GiB, GB, TiB, TB, PiB, PB, EiB and 1 more; or write a share such as 25%, or unlimited
job.yaml:9:41: memory: device: limit "120%": a share is more than 0% and at most 100%
job.yaml:9:55: memory: pinned: size "-1": a size cannot be negative; or write a share such as 25%, or unlimited
job.yaml:9:65: memory: disk: expected a single value, got a list`},
		{about: "sizes that are not", job: good + "memory: {host: 1.5, pinned: 1e9, device: 64MuB}\n", want: `
job.yaml:9:16: memory: host: size "1.5": there is no part of a byte; did you mean 1.5MiB or 1.5GiB?
job.yaml:9:29: memory: pinned: size "1e9": a size has no exponent; write it with a unit, such as 1GB, or in full; or write a share such as 25%, or unlimited
job.yaml:9:42: memory: device: size "64MuB": unknown unit "MuB"; did you mean "MiB"?`},
		{about: "a share of nothing", job: good + "memory: {host: 0%}\n", want: `
job.yaml:9:16: memory: host: limit "0%": a share is more than 0% and at most 100%`},
		{about: "memory that is a size", job: good + "memory: 1GiB\n", want: `
job.yaml:9:9: memory: expected a mapping of limits, such as {host: 64MiB, spill_dir: folder}, got "1GiB"`},
		{about: "an unknown compression", job: good + "memory: {spill_dir: ., compress: lz5}\n", want: `
job.yaml:9:34: memory: compress: unknown compression "lz5"; did you mean "lz4"?`},
		{about: "a spill directory without a name", job: good + "memory: {spill_dir: \"\"}\n", want: `
job.yaml:9:21: memory: spill_dir: the name of a folder is empty`},
		{about: "a spill directory that is a list", job: good + "memory: {spill_dir: [a, b]}\n", want: `
job.yaml:9:21: memory: spill_dir: expected a text, got a list`},
		{about: "a limit that is a wrong parameter", job: replace(good, "top: 10", "top: 10\n  host: 12x") + "memory: {host: \"${host}\"}\n", want: `
job.yaml:10:16: memory: host: size "12x": unknown unit "x"; have B, KiB, kB, MiB, MB, GiB, GB, TiB, TB, PiB, PB, EiB and 1 more; or write a share such as 25%, or unlimited (parameter "host")`},

		// parameters
		{about: "an unknown parameter in the job", job: replace(good, "${top}", "${tpo}"), want: `
job.yaml:7:53: unknown parameter "tpo"; did you mean "top"?`},
		{about: "an unknown parameter given", job: good, params: map[string]string{"file": "x"}, want: `
job.yaml:2:1: unknown parameter "file" given; did you mean "files"?`},
		{about: "a parameter given to a job that has none", job: "nodes: {}\n", params: map[string]string{"file": "x"}, want: `
job.yaml:1:1: unknown parameter "file" given
job.yaml:1:1: a job needs at least one node, under "nodes"`},
		{about: "a parameter without a value", job: replace(good, "top: 10", "top:"), want: `
job.yaml:4:3: parameter "top" has no default and must be given: -p top=VALUE`},
		{about: "a parameter of the wrong type", job: good, params: map[string]string{"top": "many"}, want: `
job.yaml:7:53: node "top": limit: expected a whole number, got "many" (parameter "top")`},
		{about: "a size with a wrong parameter in it", job: good + "channels: {flights: {bytes: \"${top}MuB\"}}\n", want: `
job.yaml:9:29: channel "flights": bytes: size "10MuB": unknown unit "MuB"; did you mean "MiB"? (parameter "top")`},
		{about: "a list inside a text", job: replace(good, `"${files}"`, `"data/${files}"`), params: map[string]string{"top": "3"},
			want: ""},
		{about: "a list from the job inside a text", job: replace(replace(good, `"${files}"`, `"data/${files}"`), "files: flights.parquet", "files: [a, b]"), want: `
job.yaml:6:29: parameter "files" is a list; only a single value fits into a longer text`},
		{about: "a given value that is not YAML", job: good, params: map[string]string{"files": "[a, b"}, want: `
job.yaml:3:3: parameter "files" was given as "[a, b": not valid YAML: sequence end token ']' not found`},
		{about: "a parameter given for nothing", job: replace(good, `"${top}"`, "10"), params: map[string]string{"top": "3"}, want: `
job.yaml:4:3: parameter "top" was given, but nothing in the job uses it`},
		{about: "a parameter made of itself", job: replace(good, "top: 10", "top: ${more}\n  more: ${top}"), want: `
job.yaml:5:9: parameter "top" is made of itself`},
		{about: "a parameter that has no end", job: replace(good, "${top}", "${top"), want: `
job.yaml:7:53: "${top": expected ${name} with the name of a parameter; for a literal ${ write $${`},
		{about: "a parameter with a strange name", job: replace(good, "top: 10", "top ten: 10"), want: `
job.yaml:4:3: parameter name "top ten": use letters, digits, _ and -, beginning with a letter
job.yaml:7:53: unknown parameter "top"; have job_dir, temp_dir, files`},
		{about: "a parameter that is always there", job: replace(good, "top: 10", "top: 10\n  job_dir: x"), want: `
job.yaml:5:3: parameter "job_dir" is always there, the folder of the job file; choose another name`},
		{about: "job_dir given", job: good, params: map[string]string{"job_dir": "x"}, want: `
job.yaml:2:1: parameter "job_dir" is the folder of the job file and cannot be given`},
		{about: "temp_dir given", job: good, params: map[string]string{"temp_dir": "x"}, want: `
job.yaml:2:1: parameter "temp_dir" is the system's folder for temporary files and cannot be given`},
		{about: "parameters that grow without end", job: bomb(), want: `
job.yaml:16:8: the parameters expand to more than 4194304 bytes`},

		// several at once
		{about: "several mistakes", job: "nodes:\n" +
			"  scan: {kind: scam, out: flights}\n" +
			"  top: {kind: sort, in: flights, limit: x, out: ranked}\n" +
			"  show: {kind: print, in: ranked, fromat: csv}\n", want: `
job.yaml:2:16: node "scan": unknown kind "scam"; did you mean "scan"?
job.yaml:3:3: node "top": setting "by" is missing: column to sort by, or a list of them: column [asc|desc] [nulls first|last], asc and nulls last if not said
job.yaml:3:41: node "top": limit: expected a whole number, got "x"
job.yaml:4:35: node "show": unknown setting "fromat" of kind print; did you mean "format"?`},
		{about: "more mistakes than one wants to read", job: "nodes:\n" + strings.Repeat("  x: y\n", 20), want: `
job.yaml:2:6: node "x": expected a mapping with the kind and settings of the node, got "y"
job.yaml:3:3: "x" is here a second time; it is already at line 2
job.yaml:4:3: "x" is here a second time; it is already at line 2
job.yaml:5:3: "x" is here a second time; it is already at line 2
job.yaml:6:3: "x" is here a second time; it is already at line 2
job.yaml:7:3: "x" is here a second time; it is already at line 2
job.yaml:8:3: "x" is here a second time; it is already at line 2
job.yaml:9:3: "x" is here a second time; it is already at line 2
job.yaml:10:3: "x" is here a second time; it is already at line 2
job.yaml:11:3: "x" is here a second time; it is already at line 2
job.yaml:12:3: and 10 more errors from here on`},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			job, err := plan.Parse("job.yaml", []byte(tt.job), tt.params)
			got := ""
			if err != nil {
				got = "\n" + err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if (job == nil) != (err != nil) {
				t.Errorf("got job %v with error %v", job, err)
			}
			if n := len(plan.JobErrors(err)); err != nil && n != strings.Count(err.Error(), "\n")+1 {
				t.Errorf("%d of the errors are JobErrors", n)
			}
		})
	}
}

func replace(s, old, new string) string {
	if !strings.Contains(s, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(s, old, new, 1)
}

func aggregated(measure string) string {
	return "nodes:\n  scan: {kind: scan, files: x, out: a}\n" +
		"  sum: {kind: aggregate, in: a, compute: {x: " + measure + "}, out: b}\n" +
		"  show: {kind: print, in: b}\n"
}

func filtered(condition string) string {
	return "nodes:\n  scan: {kind: scan, files: x, out: a}\n" +
		"  late: {kind: filter, in: a, out: b, where: " + condition + "}\n" +
		"  show: {kind: print, in: b}\n"
}

// bomb is a job whose parameters double at each step.
func bomb() string {
	var b strings.Builder
	b.WriteString("params:\n  p0: " + strings.Repeat("x", 100) + "\n")
	for i := range 30 {
		fmt.Fprintf(&b, "  p%d: ${p%d}${p%d}\n", i+1, i, i)
	}
	return b.String() + "nodes:\n  show: {kind: print, in: \"${p30}\"}\n"
}
