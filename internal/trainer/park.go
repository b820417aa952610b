package trainer

// park stores the state where the generation stands, instead of training on: workers are about to leave, and no step
// is to be lost. What is due after the last step is done first. With the commit the job has no members any more.
func (s *session) park() error {
	s.report = newReporter(s)
	defer s.report.close()
	s.uploads = newUploader(s)
	defer s.uploads.close()
	st := s.task.state
	if st.position%2 == 0 {
		if err := s.between(st); err != nil {
			return err
		}
	}
	s.report.evaluated(st)
	for {
		s.uploads.begin(st)
		if s.uploads.wait(s.ctx) == nil {
			break
		}
		if !pause(s.ctx, finishRetry) {
			return nil
		}
	}
	<-s.ctx.Done()
	return nil
}
