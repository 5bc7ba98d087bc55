// Renders /api/v1/openapi.json and makes its calls. Texts go in as text, never as markup.
'use strict';

const token = document.getElementById('token');

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  for (const child of children) node.append(child);
  return node;
}

function resolve(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split('/').reduce((at, part) => at[part], api);
}

// An example of what a schema describes.
function example(api, schema, depth = 0) {
  schema = resolve(api, schema);
  if (depth > 6) return null;
  if (schema.example !== undefined) return schema.example;
  if (schema.examples) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  for (const key of ['oneOf', 'anyOf']) if (schema[key]) return example(api, schema[key].find((s) => s.type !== 'null'), depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => example(api, part, depth + 1)));
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
  if (type === 'object' || schema.properties) {
    const required = schema.required || [];
    return Object.fromEntries(Object.entries(schema.properties || {})
      .filter(([name]) => depth === 0 ? required.includes(name) : true)
      .map(([name, part]) => [name, example(api, part, depth + 1)]));
  }
  if (type === 'array') return [example(api, schema.items, depth + 1)];
  if (type === 'integer' || type === 'number') return schema.minimum || 0;
  if (type === 'boolean') return false;
  return schema.format === 'password' ? 'correct-horse' : 'text';
}

function jsonOf(content) {
  const [type] = Object.keys(content || {}).filter((name) => name.endsWith('json'));
  return type ? content[type].schema : undefined;
}

function parameters(operation, inputs) {
  const list = operation.parameters || [];
  if (!list.length) return [];
  const rows = list.map((parameter) => {
    const input = el('input', { size: 20, placeholder: parameter.required ? 'required' : '' });
    inputs.push([parameter, input]);
    return el('tr', {}, el('td', {}, el('code', {}, parameter.name), ` (${parameter.in})`), el('td', {}, input), el('td', {}, parameter.description || ''));
  });
  return [el('table', {}, ...rows)];
}

function responses(api, operation) {
  const rows = Object.entries(operation.responses || {}).map(([status, response]) => {
    const schema = jsonOf(resolve(api, response).content);
    const shown = schema && !status.startsWith('4') && !status.startsWith('5') ? el('pre', {}, JSON.stringify(example(api, schema, 1), null, 1)) : '';
    return el('tr', {}, el('th', {}, status), el('td', {}, response.description || '', shown));
  });
  return el('table', {}, ...rows);
}

async function call(path, method, operation, inputs, body, out) {
  const query = new URLSearchParams();
  const headers = {};
  for (const [parameter, input] of inputs) {
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value && parameter.in === 'query') query.set(parameter.name, input.value);
    else if (input.value && parameter.in === 'header') headers[parameter.name] = input.value;
  }
  if (token.value && operation.security) headers.Authorization = `Bearer ${token.value}`;
  if (body) headers['Content-Type'] = 'application/json';
  const url = query.size ? `${path}?${query}` : path;
  try {
    const answer = await fetch(url, { method, headers, body: body ? body.value : undefined });
    let text = await answer.text();
    try {
      const json = JSON.parse(text);
      if (json.access_token) token.value = json.access_token;
      text = JSON.stringify(json, null, 1);
    } catch { /* not JSON: shown as it came */ }
    out.textContent = `${answer.status} ${answer.statusText}\n\n${text}`;
  } catch (error) {
    out.textContent = String(error);
  }
}

function operationOf(api, path, method, operation) {
  const inputs = [];
  const schema = jsonOf(operation.requestBody && operation.requestBody.content);
  const body = schema ? el('textarea', { spellcheck: 'false' }, JSON.stringify(example(api, schema), null, 1)) : null;
  const out = el('pre', { hidden: '' });
  const send = el('button', { type: 'button' }, 'Call');
  send.addEventListener('click', () => { out.hidden = false; out.textContent = '…'; call(path, method.toUpperCase(), operation, inputs, body, out); });
  const parts = [...parameters(operation, inputs), ...(body ? [body] : [])];
  // A stream of events has no end that a page could wait for.
  if (!path.endsWith('/events')) parts.push(send, out);
  return el('details', {},
    el('summary', {}, el('span', { class: `method ${method}` }, method.toUpperCase()), el('code', {}, path), ` ${operation.summary || ''}`, operation.security ? ' 🔒' : ''),
    el('p', {}, operation.description || ''), ...parts, responses(api, operation));
}

async function main() {
  const api = await (await fetch('/api/v1/openapi.json')).json();
  document.getElementById('about').textContent = `${api.info.description || ''} Version ${api.info.version}.`;
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [group] = operation.tags || ['other'];
      if (!groups.has(group)) groups.set(group, [el('h2', {}, group)]);
      groups.get(group).push(operationOf(api, path, method, operation));
    }
  }
  document.getElementById('calls').replaceChildren(...[...groups.values()].flat());
}

main().catch((error) => { document.getElementById('calls').textContent = `The description cannot be shown: ${error}`; });
