package table_test

import (
	"context"
	"log"
	"os"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

// The five airports with most flights, and how late those are on average.
func Example() {
	net := sluice.NewNetwork("flights")
	flights, airports, top := net.Channel("flights"), net.Channel("airports"), net.Channel("top")

	scan := table.Scan{Files: []string{"../examples/data/flights-200k.parquet"}, Columns: []string{"origin", "delay"}}
	byOrigin := table.Aggregate{By: []string{"origin"}, Measures: []table.Measure{
		{As: "flights", Func: table.Count},
		{Func: table.Mean, Column: "delay"},
	}}
	busiest := table.Sort{By: []table.SortKey{{Column: "flights", Descending: true}}, Limit: 5}

	net.Node(scan.Node("scan", flights))
	net.Node(byOrigin.Node("by origin", flights, airports))
	net.Node(busiest.Node("busiest", airports, top))
	net.Node(table.Print{}.Node("print", top, os.Stdout))
	if err := net.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// origin  flights  mean_delay
	// ORD       11277    8.747983
	// DFW       10451    7.724811
	// ATL        8339    8.279890
	// LAX        7674    7.280949
	// PHX        6130    9.612887
}

// The flights that were most of a day late, as CSV. The columns are checked before
// anything is read.
func ExampleFilter() {
	scan := table.Scan{Files: []string{"../examples/data/flights-200k.parquet"}}
	late := table.Filter{Where: "delay >= 1100"}
	columns, err := scan.Schema()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := late.Schema(columns); err != nil {
		log.Fatal(err)
	}

	net := sluice.NewNetwork("late")
	flights, few := net.Channel("flights"), net.Channel("few")
	net.Node(scan.Node("scan", flights))
	net.Node(late.Node("late", flights, few))
	net.Node(table.Print{Format: table.FormatCSV}.Node("print", few, os.Stdout))
	if err := net.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// date,delay,distance,origin,destination
	// 2001-01-06T15:01:00,1575,1310,MCO,MSP
	// 2001-03-25T07:17:00,1154,732,ATL,DFW
}
