-- The digest of each file of a generation as it was written: what another version of the program would write in its place
-- is nobody's edit.

create table generation_files (
    generation_id blob not null references generations (id) on delete cascade,
    file text not null,
    digest text not null,
    primary key (generation_id, file)
) strict;
