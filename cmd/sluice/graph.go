package main

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/monitor"
	"github.com/seed14ed4225/sluice/plan"
)

type graphCommand struct {
	jobFlags
	Format string `placeholder:"FORMAT" enum:"mermaid,dot" default:"mermaid" help:"The language of the graph: mermaid for Markdown, or dot for Graphviz. Default is mermaid."`
}

func (c *graphCommand) Help() string {
	return `Node kinds and channels are checked, but no data is read and none need be there:

  sluice graph flights.yaml --format dot | dot -Tsvg > flights.svg

Beside a scan of Parquet stands the condition of a filter that alone reads what it writes: rows are not
read of which the file's statistics say that none meets it.`
}

func (c *graphCommand) Run(ctx context.Context, std streams, has offer) error {
	job, err := c.load(ctx, std.in, has.kinds)
	if err != nil {
		return err
	}
	network, err := job.Network(plan.Env{})
	if err != nil {
		return err
	}
	draw := monitor.Mermaid
	if c.Format == "dot" {
		draw = monitor.DOT
	}
	return show(std.out, draw(annotate(network.Snapshot(), job.Conditions())))
}

// annotate says beside the name of a node which condition its rows are held against before they are read.
func annotate(drawn sluice.Snapshot, conditions map[string]string) sluice.Snapshot {
	for i, n := range drawn.Nodes {
		if condition := conditions[n.Name]; condition != "" {
			drawn.Nodes[i].Name = fmt.Sprintf("%s (where statistics allow %s)", n.Name, condition)
		}
	}
	return drawn
}
