// Command peers compares Sluice with what else does the same work in the same process,
// above all DuckDB: the same files, the same number of threads, by turns, medians of several
// rounds. Every answer is compared, too. README.md says what is measured.
//
// It is a module of its own because DuckDB needs cgo, which nothing else here does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/seed14ed4225/sluice/mem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	flights string
	orders  int
	rounds  int
	threads int
	limit   int64 // of memory, in bytes
	temp    string
	only    string
}

// bench is what the cases share.
type bench struct {
	settings
	folder string // for what is written
	lines  string // the generated file, in it
	duck   *duck  // without a limit
	report
}

// cases, in the order in which they run.
var cases = []struct {
	name string
	run  func(*bench, context.Context)
}{
	{"flights", (*bench).groupFlights},
	{"groups", (*bench).groupLines},
	{"distinct", (*bench).countDistinct},
	{"scan", (*bench).scan},
	{"sort", (*bench).sort},
	{"join", (*bench).join},
	{"write", (*bench).write},
	{"speedup", (*bench).speedUp},
}

func caseNames() string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.SetOutput(out)
	flights := os.Getenv("SLUICE_FLIGHTS")
	if flights == "" {
		flights = filepath.Join("..", "..", "examples", "data", "flights-200k.parquet")
	}
	flags.StringVar(&s.flights, "flights", flights, "Parquet `file` of flights; also $SLUICE_FLIGHTS")
	flags.IntVar(&s.orders, "orders", ordersAtScale1, "orders in the generated lines, four lines each")
	flags.IntVar(&s.rounds, "rounds", 7, "timed rounds of each comparison")
	flags.IntVar(&s.threads, "threads", runtime.GOMAXPROCS(0), "threads for everybody")
	flags.StringVar(&s.temp, "temp", os.TempDir(), "`folder` for the generated file and for spilling")
	flags.StringVar(&s.only, "only", caseNames(), "what to compare, with commas between")
	limit := flags.String("limit", "64MiB", "the memory limit, where there is one")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("what is %q? Only flags are expected", flags.Arg(0))
	}
	for _, number := range []struct {
		name         string
		value, least int
	}{{"orders", s.orders, 1}, {"rounds", s.rounds, 1}, {"threads", s.threads, 1}} {
		if number.value < number.least {
			return s, fmt.Errorf("-%s is %d; it must be at least %d", number.name, number.value, number.least)
		}
	}
	for _, name := range strings.Split(s.only, ",") {
		if !strings.Contains(","+caseNames()+",", ","+name+",") {
			return s, fmt.Errorf("-only: there is no %q; there are %s", name, caseNames())
		}
	}
	parsed, err := mem.ParseLimit(*limit)
	if err != nil {
		return s, fmt.Errorf("-limit: %w", err)
	}
	var fixed bool
	if s.limit, fixed = parsed.Bytes(); !fixed || parsed == mem.Unlimited {
		return s, fmt.Errorf("-limit: %s is not a size such as 64MiB", *limit)
	}
	return s, nil
}

func (s settings) wants(name string) bool {
	return strings.Contains(","+s.only+",", ","+name+",")
}

// run does what the command does. Its error has everything in it that failed, was wrong,
// or missed its target.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.threads))
	folder, err := os.MkdirTemp(s.temp, "sluice-peers-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &bench{settings: s, folder: folder, lines: filepath.Join(folder, "lineitem.parquet"), report: report{to: out}}
	if err := writeLines(b.lines, s.orders); err != nil {
		return err
	}
	if b.duck, err = openDuck(b.duckSettings()...); err != nil {
		return err
	}
	defer b.duck.close()
	_, _ = fmt.Fprintf(out, "%s, %d threads, %d rounds; flights: %s, lines: %d\n\n",
		versions(), s.threads, s.rounds, filepath.Base(s.flights), linesOf(s.orders))
	b.heading()
	for _, c := range cases {
		if !s.wants(c.name) {
			continue
		}
		if c.run(b, ctx); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return b.end()
}

// duckSettings are those of all databases, with more for one of them.
func (b *bench) duckSettings(more ...string) []string {
	return append([]string{
		fmt.Sprintf("threads=%d", b.threads),
		"temp_directory=" + filepath.Join(b.folder, "duckdb"),
	}, more...)
}

// versions says what is compared.
func versions() string {
	found := []string{runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, "DuckDB " + duckdb.LibraryVersion()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			switch module.Path {
			case "github.com/apache/arrow-go/v18", "github.com/parquet-go/parquet-go":
				found = append(found, strings.TrimPrefix(module.Path, "github.com/")+" "+module.Version)
			}
		}
	}
	return strings.Join(found, ", ")
}
