package main

import (
	"context"

	"github.com/seed14ed4225/sluice/monitor"
	"github.com/seed14ed4225/sluice/plan"
)

type graphCommand struct {
	jobFlags
	Format string `placeholder:"FORMAT" enum:"mermaid,dot" default:"mermaid" help:"The language of the graph: mermaid for Markdown, or dot for Graphviz. Default is mermaid."`
}

func (c *graphCommand) Help() string {
	return `Node kinds and channels are checked, but no data is read and none need be there:

  sluice graph flights.yaml --format dot | dot -Tsvg > flights.svg`
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
	return show(std.out, draw(network.Snapshot()))
}
