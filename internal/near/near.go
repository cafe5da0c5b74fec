// Package near says how alike two names are, for the suggestions that go with a misspelt one.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// Distance is the number of letters to insert, delete or replace to make one name of the other.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// Likeness is the share of letter pairs that two names have in common, whatever their case.
func Likeness(a, b string) float64 {
	a, b = strings.ToLower(a), strings.ToLower(b)
	shared := 0
	for i := range len(a) - 1 {
		if strings.Contains(b, a[i:i+2]) {
			shared++
		}
	}
	return 2 * float64(shared) / float64(len(a)+len(b))
}

// Best is the name that a misspelt one was probably meant to be; "" when none is like it.
func Best(wrong string, names []string) string {
	const longest, alike = 100, 0.6
	if len(names) == 0 || len(wrong) > longest {
		return ""
	}
	lower := strings.ToLower(wrong)
	distance := func(name string) int { return Distance(strings.ToLower(name), lower) }
	best := slices.MinFunc(names, func(a, b string) int { return distance(a) - distance(b) })
	if distance(best) <= 1+len(wrong)/3 {
		return best
	}
	best = slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(Likeness(a, wrong), Likeness(b, wrong)) })
	if Likeness(best, wrong) > alike {
		return best
	}
	return ""
}
