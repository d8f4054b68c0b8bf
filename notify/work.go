package notify

import "sync"

// work is the goroutines that a manager has started for a moment's work. All of
// them end by themselves.
type work struct {
	mu      sync.Mutex
	running int
	quiet   chan struct{} // closed when none runs, where somebody waits
}

func (w *work) start(do func()) {
	w.mu.Lock()
	w.running++
	w.mu.Unlock()
	go func() {
		defer w.end()
		do()
	}()
}

func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if w.running == 0 && w.quiet != nil {
		close(w.quiet)
		w.quiet = nil
	}
}

// wait returns at a moment when none of them runs.
func (w *work) wait() {
	w.mu.Lock()
	if w.running == 0 {
		w.mu.Unlock()
		return
	}
	if w.quiet == nil {
		w.quiet = make(chan struct{})
	}
	quiet := w.quiet
	w.mu.Unlock()
	<-quiet
}
