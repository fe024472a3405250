package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func finds(rows int64) func(context.Context) (answer, error) {
	return func(context.Context) (answer, error) { return answer{rows: rows}, nil }
}

func breaks(context.Context) (answer, error) { return answer{}, errBroken }

func TestRaceTimesEachContenderInEveryRound(t *testing.T) {
	var order []string
	named := func(name string) contender {
		return contender{name, func(context.Context) (answer, error) { order = append(order, name); return answer{}, nil }}
	}
	times, err := race(t.Context(), 3, named("a"), named("b"))
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range times {
		if len(each.rounds) != 3 {
			t.Errorf("%s has %d rounds", each.name, len(each.rounds))
		}
	}
	if got := strings.Join(order, ""); got != "abbaabba" {
		t.Errorf("the order is %s", got)
	}
}

func TestWrongAnswerFails(t *testing.T) {
	if _, err := race(t.Context(), 1, contender{"a", finds(1)}, contender{"b", finds(2)}); !errors.Is(err, errWrong) {
		t.Errorf("two answers give %v", err)
	}
	calls := int64(0)
	changes := func(context.Context) (answer, error) { calls++; return answer{rows: calls / 3}, nil }
	if _, err := race(t.Context(), 5, contender{"a", changes}); !errors.Is(err, errWrong) {
		t.Errorf("an answer that changes gives %v", err)
	}
}

func TestFailureIsReportedAsSuch(t *testing.T) {
	for _, both := range [][]contender{
		{{"Sluice", breaks}, {"peer", finds(1)}},
		{{"Sluice", finds(1)}, {"peer", breaks}},
		{{"Sluice", breaks}, {"peer", breaks}},
	} {
		var out strings.Builder
		b := &bench{settings: settings{rounds: 2}, report: report{to: &out}}
		b.compare(t.Context(), "work", target{most: 2}, both...)
		if err := b.end(); !errors.Is(err, errBroken) || !strings.Contains(out.String(), "FAILED") {
			t.Errorf("%v, and the report is %s", err, out.String())
		}
	}
}

func TestRatioIsToTheFastestPeer(t *testing.T) {
	took := func(name string, ms ...int) timing {
		t := timing{name: name}
		for _, n := range ms {
			t.rounds = append(t.rounds, time.Duration(n)*time.Millisecond)
		}
		return t
	}
	r := against("work", []timing{took("Sluice", 30, 10, 500), took("slow", 40, 40, 40), took("fast", 15, 20, 10)}, target{most: 2})
	if r.ratio != 2 || r.spread != "0.50 to 50.00" || r.fastest != 1 || r.verdict() != "met" || r.peers != "fast 15ms, slow 40ms" {
		t.Errorf("%+v, %s", r, r.verdict())
	}
}

func TestMissedTargetIsAnError(t *testing.T) {
	for _, test := range []struct {
		target target
		ratio  float64
		want   string
	}{
		{target{most: 2}, 2, "met"},
		{target{most: 2}, 2.1, "missed"},
		{target{least: 0.9}, 0.9, "met"},
		{target{least: 0.9}, 0.8, "missed"},
		{target{}, 100, ""},
	} {
		r := report{to: new(strings.Builder)}
		r.add(result{what: "work", ratio: test.ratio, target: test.target})
		if got := r.results[0].verdict(); got != test.want {
			t.Errorf("%v of %q is %q", test.ratio, test.target, got)
		}
		if err := r.end(); errors.Is(err, errMissed) != (test.want == "missed") {
			t.Errorf("%v of %q gives %v", test.ratio, test.target, err)
		}
	}
}

func TestSpeedUpIsThatOfTheJobByThatOfArithmetic(t *testing.T) {
	const ms = time.Millisecond
	loops := [2][]time.Duration{{10 * ms, 10 * ms, 10 * ms}, {5 * ms, 5 * ms, 5 * ms}}
	jobs := [2][]time.Duration{{12 * ms, 30 * ms, 10 * ms}, {8 * ms, 8 * ms, 10 * ms}}
	r := result{target: target{least: 0.9}}
	r.speedUps(jobs, loops, 2)
	if r.ratio != 0.75 || r.fastest != 0.625 || r.verdict() != "missed" {
		t.Errorf("%+v is %s", r, r.verdict())
	}
	r.speedUps(jobs, [2][]time.Duration{loops[0], loops[0]}, 2)
	if got := r.verdict(); got != "too busy" {
		t.Errorf("a machine without a second processor to give is %q", got)
	}
}
