//go:build race

package app_test

// hostileIsTimed says whether TestHostileInput judges latency and memory: the
// race detector takes some of either for itself.
const hostileIsTimed = false

// hostileLanes attack at once.
const hostileLanes = 4
