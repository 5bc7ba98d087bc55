{{/*
Roles and databases of one server, repeatable: {name: {database, owner}}. The same roles and time limits as the development stack
(services/support/devstack/src/roles.rs).
*/}}
{{- define "shopapi.rolesSql" -}}
{{- range $name, $spec := . -}}
{{ include "shopapi.roleSql" (dict "role" $spec.owner "statement" "10min" "lock" "10s" "idle" "60s") }}
{{ include "shopapi.roleSql" (dict "role" $name "statement" "10s" "lock" "2s" "idle" "5s") }}
{{ end -}}
{{ include "shopapi.roleSql" (dict "role" "shopapi_audit" "statement" "2min" "lock" "5s" "idle" "2min") }}
ALTER ROLE shopapi_audit SET default_transaction_read_only = on;
{{- range $name, $spec := . }}
SELECT 'CREATE DATABASE {{ $spec.database }} OWNER {{ $spec.owner }}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{ $spec.database }}') \gexec
REVOKE ALL ON DATABASE {{ $spec.database }} FROM PUBLIC;
GRANT CONNECT ON DATABASE {{ $spec.database }} TO {{ $name }}, shopapi_audit;
{{- end }}
{{- end -}}

{{- define "shopapi.roleSql" -}}
SELECT 'CREATE ROLE {{ .role }} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ .role }}') \gexec
\set password `cat /etc/shopapi/passwords/{{ .role }}`
ALTER ROLE {{ .role }} PASSWORD :'password';
ALTER ROLE {{ .role }} SET statement_timeout = '{{ .statement }}';
ALTER ROLE {{ .role }} SET lock_timeout = '{{ .lock }}';
ALTER ROLE {{ .role }} SET idle_in_transaction_session_timeout = '{{ .idle }}';
{{- end -}}
