package script

// Times is how often something happens that happens once where nothing is said.
func Times(n *int) int {
	if n == nil {
		return 1
	}
	return *n
}
