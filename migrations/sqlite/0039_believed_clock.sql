-- How far the clock was ahead, in microseconds, of the furthest that was ever believed; none where that is not known.
alter table trusted_time add column believed integer;
