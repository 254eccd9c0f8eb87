-- The settings of an instance by revision: those that are live stay in force for whoever moves none, until a deploy of the
-- platform moves to newer ones.

create table instance_settings (
    instance_id blob not null references instances (id) on delete cascade,
    revision integer not null,
    settings text not null,
    primary key (instance_id, revision)
) strict;

insert into instance_settings (instance_id, revision, settings) select id, settings_revision, settings from instances;
