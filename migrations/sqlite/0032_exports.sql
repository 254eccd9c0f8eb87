-- What an export goes through by ids, which never change, however much of others there is between.

create unique index call_records_by_tenant on call_records (tenant_id, id);
create unique index recordings_by_tenant on recordings (tenant_id, id);
create unique index tickets_by_tenant on tickets (tenant_id, id);
