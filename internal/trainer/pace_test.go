package trainer

import (
	"testing"
	"time"
)

// A frame may take as long as many of the steps that were made lately, and never less than the floor.
func TestTimeoutFollowsTheSteps(t *testing.T) {
	p := newPace()
	if d := p.timeout(); d != paceFloor {
		t.Errorf("before any step %v, want %v", d, paceFloor)
	}
	p.made(10 * time.Millisecond)
	if d := p.timeout(); d != paceFloor {
		t.Errorf("with quick steps %v, want %v", d, paceFloor)
	}
	p.made(time.Minute)
	if d := p.timeout(); d != paceFactor*time.Minute {
		t.Errorf("after a step of a minute %v, want %v", d, paceFactor*time.Minute)
	}
	for range 100 {
		p.made(time.Millisecond)
	}
	if d := p.timeout(); d != paceFloor {
		t.Errorf("when steps are quick again %v, want %v", d, paceFloor)
	}
}
