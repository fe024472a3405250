// Package mem has the words in which messages speak about memory: the [Kind] of
// memory bytes lie in, the [Content] of a payload, and the [Reservation] that a
// copy is charged to.
package mem
