-- The place of each request in the queue of its instance, given in the order in which requests were accepted. Times cannot
-- tell: the clocks of two hosts differ, and one clock jumps.

create table deployment_queues (
    instance_id blob not null primary key references instances (id) on delete cascade,
    last_number integer not null
) strict;

alter table deployments add column queue_number integer not null default 0;

update deployments set queue_number = n.number
    from (select id, row_number() over (partition by instance_id order by created_at, id) as number from deployments) n
    where n.id = deployments.id;

insert into deployment_queues (instance_id, last_number)
    select instance_id, max(queue_number) from deployments group by instance_id;

drop index deployments_open;
create unique index deployments_open on deployments (instance_id, queue_number) where ended_at is null;
