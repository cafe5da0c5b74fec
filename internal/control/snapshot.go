package control

import (
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// A snapshot may be large: what can be read must also be taken back.
const (
	snapshotFactor = 6               // bytes of JSON that a byte of the state takes at most: \u0000
	snapshotTime   = 2 * time.Minute // for reading one
)

// readsLarge gives a call time for a body, and for what is made of it.
func readsLarge(c *call) {
	limits := http.NewResponseController(c.writer)
	_ = limits.SetReadDeadline(clock.WallNow().Add(snapshotTime)) // there is none without a connection
	_ = limits.SetWriteDeadline(time.Time{})
	c.patient = true
}

func (a *API) getSnapshot(c *call) (int, any, error) {
	readsLarge(c)
	snap, err := c.sandbox.Snapshot()
	return http.StatusOK, snap, err
}

func (a *API) putSnapshot(c *call) (int, any, error) {
	snap, err := readSnapshot(c)
	if err != nil {
		return 0, nil, err
	}
	if err := c.sandbox.Restore(snap); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.sandboxOf(c, c.sandbox), nil
}

// diffSnapshot compares a snapshot that was taken before with the sandbox as it is now.
func (a *API) diffSnapshot(c *call) (int, any, error) {
	before, err := readSnapshot(c)
	if err != nil {
		return 0, nil, err
	}
	now, err := c.sandbox.Snapshot()
	if err != nil {
		return 0, nil, err
	}
	changes, err := Diff(before, now)
	return http.StatusOK, client.SnapshotDiff{Changes: changes}, err
}

func readSnapshot(c *call) (engine.Snapshot, error) {
	readsLarge(c)
	snap := engine.Snapshot{Version: -1}
	limit := max(MaxBody, snapshotFactor*int64(c.sandbox.Limits().Bytes))
	if err := readUpTo(c, &snap, limit); err != nil {
		return snap, err
	}
	if snap.Version == -1 {
		return snap, invalid("body", "a snapshot is needed, as GET …/snapshot answers it")
	}
	return snap, nil
}

// Diff returns what differs between two snapshots, row by row and member by member, sorted by path.
func Diff(before, after engine.Snapshot) ([]client.Change, error) {
	a, err := byRow(before)
	if err != nil {
		return nil, err
	}
	b, err := byRow(after)
	if err != nil {
		return nil, err
	}
	return client.DiffValues(a, b), nil
}

// byRow is a snapshot as decoded JSON, with the rows of each table by their ids.
func byRow(snap engine.Snapshot) (any, error) {
	data, err := strictjson.Encode(snap)
	if err != nil {
		return nil, err
	}
	decoded, err := strictjson.Decode(data)
	if err != nil {
		return nil, err
	}
	object, _ := decoded.(map[string]any)
	state, _ := object["state"].(map[string]any)
	tables, _ := state["tables"].(map[string]any)
	for name, rows := range tables {
		byID := map[string]any{}
		list, _ := rows.([]any)
		for _, row := range list {
			r, _ := row.(map[string]any)
			id, _ := r["id"].(string)
			byID[id] = r["value"]
		}
		tables[name] = byID
	}
	return object, nil
}
