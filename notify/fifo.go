package notify

// fifo is a queue. The zero value is an empty one.
type fifo[T any] struct {
	items []T
	first int // items[:first] have gone
}

func (q *fifo[T]) len() int { return len(q.items) - q.first }

// at gives the item behind i others.
func (q *fifo[T]) at(i int) T { return q.items[q.first+i] }

func (q *fifo[T]) push(item T) {
	if q.first > 0 && len(q.items) == cap(q.items) && q.first >= len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, item)
}

func (q *fifo[T]) pop() T {
	var none T
	item := q.items[q.first]
	q.items[q.first] = none
	q.first++
	if q.first == len(q.items) {
		q.reset()
	}
	return item
}

// reset empties the queue, and lets a large array go.
func (q *fifo[T]) reset() {
	const keep = 16
	if cap(q.items) > keep {
		q.items = nil
	}
	clear(q.items)
	q.items, q.first = q.items[:0], 0
}
