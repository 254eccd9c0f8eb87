-- Calls from or to a number, newest first, however many others a tenant has.

create index call_records_by_caller on call_records (tenant_id, from_number, started_at, id);
create index call_records_by_called on call_records (tenant_id, to_number, started_at, id);
