package client

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// SnapshotDiff is the answer of POST …/snapshot/diff.
type SnapshotDiff struct {
	Changes []Change `json:"changes"`
}

// Change is one difference between two values. A member that is missing on one side is absent there.
type Change struct {
	Path   string `json:"path"` // names and indexes, joined with slashes
	Before any    `json:"before,omitzero"`
	After  any    `json:"after,omitzero"`
}

// DiffValues returns what differs between two decoded JSON values, sorted by path.
func DiffValues(before, after any) []Change {
	changes := []Change{}
	diff("", before, after, &changes)
	return changes
}

func diff(path string, before, after any, changes *[]Change) {
	switch a := before.(type) {
	case map[string]any:
		if b, ok := after.(map[string]any); ok {
			diffObjects(path, a, b, changes)
			return
		}
	case []any:
		if b, ok := after.([]any); ok && len(a) == len(b) {
			for i := range a {
				diff(path+"/"+strconv.Itoa(i), a[i], b[i], changes)
			}
			return
		}
	}
	if !reflect.DeepEqual(before, after) {
		*changes = append(*changes, Change{Path: path, Before: before, After: after})
	}
}

func diffObjects(path string, before, after map[string]any, changes *[]Change) {
	names := map[string]struct{}{}
	for name := range before {
		names[name] = struct{}{}
	}
	for name := range after {
		names[name] = struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		diff(path+"/"+name, before[name], after[name], changes)
	}
}
