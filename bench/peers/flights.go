package main

import "context"

const flightsJob = `
params: {file: }
nodes:
  scan: {kind: scan, files: "${file}", columns: [origin, delay], out: flights}
  by_origin:
    kind: aggregate
    in: flights
    by: origin
    compute: {flights: count, mean_delay: mean(delay)}
    out: totals
  answer: {kind: answer, in: totals}
`

// groupFlights compares the job that every tour of Sluice begins with: how many flights
// from each airport, and how late on average.
func (b *bench) groupFlights(ctx context.Context) {
	sql := "select origin, count(*), avg(delay) from " + quoted(b.flights) + " group by origin"
	b.compare(ctx, "flights and mean delay by origin", target{most: 3},
		b.flightsJob().contender(), b.duck.contender(sql, false))
}

func (b *bench) flightsJob() job {
	return job{text: flightsJob, params: map[string]string{"file": b.flights}}
}
