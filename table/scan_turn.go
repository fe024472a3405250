package table

import "github.com/seed14ed4225/sluice/mem"

// awaitWith waits until all pieces before this one were sent. The chunk that has been made of it can be spilled
// meanwhile, like those that wait in a channel: else the readers that are ahead would hold what the nodes behind the
// scan need to get on, and nobody could.
func (r *reading) awaitWith(next dealtPiece, chunk *Chunk) error {
	select {
	case <-next.turn:
		return nil
	default:
	}
	waiting := mem.FromContext(r.ctx).Register(r.ctx, "chunks that a scan has read ahead", chunk)
	defer waiting.Remove()
	return r.await(next)
}
