-- JSON: the furthest that the clock was believed to be ahead of late; none where that is not known.
alter table trusted_time add column believed text;
