package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whether targets are met says nothing on so little data. That every case runs, and that
// everybody agrees on its answers, does.
func TestEveryCaseRunsAndAllAnswersAgree(t *testing.T) {
	var out strings.Builder
	err := run(t.Context(), []string{"-orders", "2000", "-rounds", "2", "-threads", "2", "-limit", "16MiB", "-temp", t.TempDir()}, &out)
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			if !strings.Contains(line, errMissed.Error()) && !strings.Contains(line, errBusy.Error()) {
				t.Error(line)
			}
		}
	}
	const lines = 20 // of the report, one for each comparison
	if n := strings.Count(out.String(), "\n| ") - 1; n != lines {
		t.Errorf("%d lines, want %d", n, lines)
	}
	for _, want := range []string{"DuckDB v1", "apache/arrow-go/v18 v", "parquet-go/parquet-go v"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not there", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestNothingIsLeftInTheFolder(t *testing.T) {
	folder := t.TempDir()
	_ = run(t.Context(), []string{"-orders", "100", "-rounds", "1", "-only", "groups", "-temp", folder}, new(strings.Builder))
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-orders", "0"}, {"-rounds", "0"}, {"-threads", "-1"}, {"-only", "group"}, {"-limit", "50%"},
		{"-limit", "unlimited"}, {"-limit", "much"}, {"flights.parquet"},
	} {
		if _, err := parse(args, new(strings.Builder)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestGeneratedLinesAreLikeThoseOfTPCH(t *testing.T) {
	if n := linesOf(ordersAtScale1); n != linesAtScale1 {
		t.Errorf("%d lines at scale 1, want %d", n, linesAtScale1)
	}
	const orders = 40_000
	path := filepath.Join(t.TempDir(), "lines.parquet")
	if err := writeLines(path, orders); err != nil {
		t.Fatal(err)
	}
	d := newDuck(t)
	for what, pair := range map[string][2]string{
		"lines and orders": {
			"select count(*), count(distinct l_orderkey) from %s", fmt.Sprintf("select %d::bigint, %d::bigint", linesOf(orders), orders),
		},
		"lines of an order": {
			"select min(n), max(n) from (select count(*) as n from %s group by l_orderkey)", "select 1::bigint, 7::bigint",
		},
		"keys": {
			"select min(l_orderkey), max(l_orderkey), max((l_orderkey - 1) %% 32) from %s",
			fmt.Sprintf("select 1::bigint, %d::bigint, 7::bigint", orders/8*32-32+8),
		},
		"parts and quantities": {
			"select (min(l_partkey) > 0 and max(l_partkey) <= 200000)::bigint, min(l_quantity), max(l_quantity) from %s",
			"select 1::bigint, 1::double, 50::double",
		},
	} {
		got, want := ask(t, d, fmt.Sprintf(pair[0], quoted(path))), ask(t, d, pair[1])
		if got != want {
			t.Errorf("%s: not what is expected", what)
		}
	}
}

func newDuck(t *testing.T) *duck {
	t.Helper()
	d, err := openDuck("threads=2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func ask(t *testing.T, d *duck, sql string) answer {
	t.Helper()
	found, err := d.query(sql, true)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDuckDBSaysWhatIsWrong(t *testing.T) {
	d := newDuck(t)
	for sql, want := range map[string]string{
		"select nothing":          "nothing",
		"select error('at once')": "at once",
		"select if(range < 2999999, 1::bigint, error('on the way')) from range(3000000)": "on the way",
		"select 1::tinyint": "cast it",
	} {
		if _, err := d.query(sql, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", sql, err, want)
		}
	}
	if _, err := openDuck("threads=none"); err == nil {
		t.Error("a wrong setting is accepted")
	}
}

var errBroken = errors.New("broken")
