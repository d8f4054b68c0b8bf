//go:build !race

package app_test

// hostileIsTimed says whether TestHostileInput judges latency and memory.
const hostileIsTimed = true

// hostileLanes attack at once: as fast as the answers come, and on no more than
// one core, since the canary's own side and the gateway are of this process.
const hostileLanes = 1
