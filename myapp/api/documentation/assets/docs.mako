<%inherit file="page.mako"/>
<%def name="title()">myapp: HTTP API</%def>

<%def name="fields(rows, says_required=False)">
<table class="fields">
% for row in rows:
<tr>
<td><code>${row.name}</code>
% if says_required and row.is_required:
<span class="must">required</span>
% endif
</td>
<td><span class="soft">${row.kind}</span>
% if row.description:
<br>${described(row.description)}
% endif
</td>
</tr>
% endfor
</table>
</%def>

<%def name="operation(op)">
<article class="operation" id="${op.id}">
% if op.scope:
<span class="scope">key with scope <code>${op.scope}</code></span>
% endif
<h3>${op.summary}</h3>
<p class="address"><code><span class="method ${op.method}">${op.method}</span>${op.path}</code></p>
% if op.description:
<p>${described(op.description)}</p>
% endif
<pre tabindex="0">${colored(op.curl)}</pre>
% if op.parameters:
<details>
<summary>Parameters <span class="soft">${len(op.parameters)}</span></summary>
<table class="fields">
% for each in op.parameters:
<tr>
<td><code>${each.name}</code> <span class="soft">${each.where}</span></td>
<td><span class="soft">${each.kind}</span>
% if each.description:
<br>${described(each.description)}
% endif
</td>
</tr>
% endfor
</table>
</details>
% endif
% if op.body:
<details>
<summary>Body</summary>
${fields(op.body, says_required=True)}
</details>
% endif
% for answer in op.answers:
<details>
<summary>${answer.status} <span class="soft">${answer.description}</span></summary>
% if answer.example:
<pre tabindex="0">${colored(answer.example)}</pre>
${fields(answer.rows)}
% endif
</details>
% endfor
<details>
<summary>Refusals <span class="soft">${len(op.codes)}</span></summary>
<ul class="codes">
% for each in op.codes:
<li><span class="status">${each.status}</span> <a href="#${each.code}">${each.code}</a></li>
% endfor
</ul>
</details>
</article>
</%def>

<a class="skip" href="#content">Skip to the content</a>
<div class="page">
<nav aria-label="Contents">
<input type="checkbox" id="contents" class="toggle">
<label for="contents">Contents</label>
<div class="list">
<ul>
<li><a href="#content">Start here</a></li>
</ul>
% for group in groups:
<ul>
<li class="group"><a href="#${group.name}">${group.name}</a></li>
% for op in group.operations:
<li><a href="#${op.id}">${op.summary}</a></li>
% endfor
</ul>
% endfor
<ul>
<li class="group"><a href="#refusals">refusals</a></li>
</ul>
</div>
</nav>
<main id="content">
<h1>myapp: HTTP API</h1>
% for paragraph in document["info"]["description"].strip().split("\n\n"):
<p>${described(paragraph)}</p>
% endfor
<p class="soft">Version ${document["info"]["version"]}. For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI ${document["openapi"]}).</p>

<h4>Keys</h4>
<p>Send <code>Authorization: Bearer &lt;key&gt;</code>. <code>myapp keys create --ledger shop --scope write</code> makes a
key. Scopes contain each other: read, write, admin. With <code>myapp.auth = open</code>, as in development, programs on the
same machine need no key.</p>
<h4>Repeating safely</h4>
<p>Give each POST an <code>Idempotency-Key</code> of your own. The same key with the same body is answered as it was the
first time, with <code>Idempotency-Replayed: true</code>, and takes effect once. A request that failed is not remembered.</p>
<h4>Lists</h4>
<p><code>limit</code> (50, at most 1000) and <code>after</code>: pass back what <code>next</code> said, until it is null.
The <code>Link</code> header has the whole address.</p>
<h4>Amounts and times</h4>
<p>Amounts are decimal strings such as <code>"12.50"</code>, never numbers. Times carry their offset
(<code>2026-01-31T12:00:00Z</code>); a date (<code>2026-01-31</code>) is its first instant in UTC.</p>

% for group in groups:
<section>
<h2 id="${group.name}">${group.name}</h2>
<p class="soft">${described(group.description)}</p>
% for op in group.operations:
${operation(op)}
% endfor
</section>
% endfor

<h2 id="refusals">Refusals</h2>
<p>Each is a problem document (RFC 9457) with a <code>code</code> that never changes its meaning, and a
<code>request_id</code> that finds the request in the service's log. Where the body is to blame, <code>errors</code> points
at the place.</p>
<table class="fields">
% for kind in kinds:
<tr id="${kind.code}">
<td><span class="status">${kind.status}</span> <a href="/problems/${kind.code}"><code>${kind.code}</code></a></td>
<td>${kind.title}.<br><span class="soft">${described(kind.explanation)}</span></td>
</tr>
% endfor
</table>
</main>
</div>
