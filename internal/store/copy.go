package store

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
)

// Copy is what a sandbox held at one moment. Rows are immutable, so that taking it is quick; encoding them is not, and
// happens afterwards, while the sandbox goes on.
type Copy struct {
	tables   map[string][]copied
	counters map[string]uint64
	claims   []string
}

type copied struct {
	id    string
	keys  []string
	value any
}

// Copy implements Tx.
func (tx *memoryTx) Copy() Copy {
	c := Copy{
		tables: make(map[string][]copied, len(tx.space.tables)), counters: maps.Clone(tx.space.counters),
		claims: slices.Sorted(maps.Keys(tx.space.claims)),
	}
	for name, t := range tx.space.tables {
		if len(t.rows) > 0 { // a table is its rows: whether one was ever there leaves no trace
			c.tables[name] = t.copy()
		}
	}
	return c
}

func (t *table) copy() []copied {
	rows := make([]copied, len(t.index[""]))
	for i, r := range t.index[""] {
		rows[i] = copied{id: r.id, keys: t.rows[r.id].keys, value: t.rows[r.id].value}
	}
	return rows
}

// State encodes the copy.
func (c Copy) State() (State, error) {
	state := State{Tables: make(map[string][]Row, len(c.tables)), Counters: c.counters, Claims: c.claims}
	for name, rows := range c.tables {
		encoded := make([]Row, len(rows))
		for i, r := range rows {
			raw, err := json.Marshal(r.value, json.Deterministic(true))
			if err != nil {
				return State{}, fmt.Errorf("store: export table %s: row %s: %w", name, r.id, err)
			}
			encoded[i] = Row{ID: r.id, Keys: r.keys, Value: raw}
		}
		state.Tables[name] = encoded
	}
	return state, nil
}
