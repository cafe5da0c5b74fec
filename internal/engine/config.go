package engine

// Config is what the sandbox started from, and what a reset returns it to.
func (s *Sandbox) Config() SandboxConfig { return s.config }

// Origin is what ids and secrets derive from beside the seed.
func (s *Sandbox) Origin() string { return s.identity.Load().origin }
