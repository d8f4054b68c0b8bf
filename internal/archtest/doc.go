// Package archtest holds the house's structure as data and code: which package
// may import which, where a third-party part may stand, how long files and
// functions may be, and what may not be written. Its tests judge the tree, and
// judge each check on a small planted violation, so that none of them can stop
// seeing without a test telling.
//
// A check is a plain function from a Tree to the violations in it, sorted by
// place. Checks only read, so they may run concurrently on one Tree.
package archtest
