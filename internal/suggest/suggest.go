// Package suggest finds the name somebody probably meant, for error messages
// about a name that does not exist.
package suggest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// listed is the most names Phrase spells out: a longer list hides the answer
// rather than giving it.
const listed = 12

// Nearest returns the name in have that name is most likely a misspelling of,
// and whether any is close enough to be worth suggesting. Letter case does not
// count. One slip (a letter wrong, missing, extra, or two neighbours swapped)
// is allowed per three letters, and at least one, as long as something of the
// name is left: "x" never suggests "y".
// Of equally near names the first in have wins.
func Nearest(name string, have []string) (string, bool) {
	wanted := fold(name)
	best, found, bestSlips := "", false, 0
	for _, candidate := range have {
		known := fold(candidate)
		longer := max(len(wanted), len(known))
		allowed := max(1, longer/3)
		slips := distance(wanted, known)
		if slips > allowed || slips >= longer && longer > 0 {
			continue
		}
		if !found || slips < bestSlips {
			best, found, bestSlips = candidate, true, slips
		}
	}
	return best, found
}

// Phrase ends the sentence `unknown column "orign"` with what to do about it:
// `; did you mean "origin"?` when a name is near, `; have a, b, c` when none
// is, and nothing when there is nothing to choose from.
func Phrase(name string, have []string) string {
	if near, ok := Nearest(name, have); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(have) == 0 {
		return ""
	}
	return "; have " + List(have)
}

// List spells names out, as many as one wants to read, with quotes around those
// that would not be seen for what they are.
func List(names []string) string {
	shown := make([]string, 0, listed)
	for _, name := range names[:min(len(names), listed)] {
		if !plain(name) {
			name = strconv.Quote(name)
		}
		shown = append(shown, name)
	}
	all := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		all += fmt.Sprintf(" and %d more", more)
	}
	return all
}

// plain says whether a name shows where it begins and ends, on one line, without
// quotes.
func plain(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || r == ' ' || r == ',' || r == '"'
	})
}

func fold(s string) []rune {
	folded := make([]rune, 0, utf8.RuneCountInString(s))
	for _, r := range s {
		folded = append(folded, unicode.ToLower(r))
	}
	return folded
}

// distance is the optimal string alignment distance, Damerau-Levenshtein
// without edits inside a swapped pair: the number of insertions, deletions,
// replacements and swaps of neighbours that turn a into b.
func distance(a, b []rune) int {
	// Row i holds the distances from a[:i] to every prefix of b. A swap looks
	// two rows back, so three rows take turns.
	twoBack := make([]int, len(b)+1)
	back := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range back {
		back[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := back[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, back[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoBack[j-2]+1)
			}
		}
		twoBack, back, row = back, row, twoBack
	}
	return back[len(b)]
}
