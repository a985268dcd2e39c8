// Makes calls from a browser: what can be called, and what it needs, comes from /openapi.json.
"use strict";

const SCHEMAS = "#/components/schemas/";
const SHOWN_HEADERS = /^(lienthong|x-road)-/;
const AUTHORIZATION = { name: "authorization", description: "Bearer and the citizen's access token.", schema: {} };
const CERTIFICATE = "--cacert ca.crt --cert tls.crt --key tls.key";

const byId = (id) => document.getElementById(id);

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Fill the list of methods, a group for each service. */
function listMethods(openapi) {
  const groups = new Map();
  for (const [path, { post }] of Object.entries(openapi.paths)) {
    const service = post.tags[0];
    if (!groups.has(service)) groups.set(service, element("optgroup", { label: service }));
    const method = path.split("/").pop();
    groups.get(service).append(element("option", { value: path, textContent: `${method}: ${post.summary}` }));
  }
  byId("method").append(...groups.values());
}

/** Show what the chosen method needs: its headers, and a body to begin with. */
function showMethod(openapi) {
  const path = byId("method").value;
  const { post } = openapi.paths[path];
  const datasets = post["x-lienthong-datasets"];
  byId("about").textContent = datasets
    ? `${post["x-lienthong-provider"]}: ${datasets.join(", ")}`
    : "Trục tự trả lời. The gateway answers it itself.";
  const parameters = post.parameters.filter((parameter) => SHOWN_HEADERS.test(parameter.name));
  byId("headers").replaceChildren(...[...parameters, AUTHORIZATION].flatMap(headerInput));
  const reference = post.requestBody.content["application/json"].schema.$ref;
  const { properties = {} } = openapi.components.schemas[reference.slice(SCHEMAS.length)];
  byId("body").value = JSON.stringify(beginning(properties), null, 2);
  byId("fields").textContent = Object.keys(properties).join(", ");
}

function headerInput({ name, description, required, schema }) {
  const id = `header-${name}`;
  const label = element("label", { htmlFor: id, textContent: name });
  const about = element("small", { textContent: description });
  if (!schema.enum) return [label, element("input", { id, name, required: Boolean(required) }), about];
  const choices = ["", ...schema.enum].map((value) => element("option", { value, textContent: value }));
  return [label, element("select", { id, name }, ...choices), about];
}

/** The texts that a request holds and that may be empty, for whoever calls to fill in. */
function beginning(properties) {
  const mayBeEmpty = ({ type, format, pattern }) => type === "string" && !format && !pattern;
  const plain = Object.entries(properties).filter(([, schema]) => mayBeEmpty(schema));
  return Object.fromEntries(plain.map(([name]) => [name, ""]));
}

function chosenHeaders() {
  const inputs = [...byId("headers").querySelectorAll("input, select")];
  return inputs.filter((input) => input.value.trim()).map((input) => [input.name, input.value.trim()]);
}

async function call(event) {
  event.preventDefault();
  const path = byId("method").value;
  const headers = [["content-type", "application/json"], ...chosenHeaders()];
  const body = byId("body").value;
  byId("curl").textContent = curlCommand(path, headers, body);
  const began = performance.now();
  try {
    const response = await fetch(path, { method: "POST", headers, body });
    showAnswer(response, await response.text(), performance.now() - began);
  } catch (error) {
    showFailure(error);
  }
}

function showFailure(error) {
  show("Không gọi được. The call could not be made.", String(error), "", []);
}

function showAnswer(response, text, milliseconds) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // Whatever it is, it is shown as it came.
  }
  const info = (answer.details ?? []).find((detail) => detail.type === "google.rpc.ErrorInfo");
  const reason = answer.reason ?? info?.debug?.reason ?? answer.code;
  const word = response.ok ? "OK" : `Từ chối. Refused: ${reason ?? response.statusText}`;
  const trailers = [...response.headers].filter(([name]) => name.startsWith("trailer-"));
  const shown = Object.keys(answer).length ? JSON.stringify(answer, null, 2) : text;
  show(`${response.status} ${word}, ${milliseconds.toFixed(0)} ms`, answer.message ?? answer.detail ?? "", shown, trailers);
}

function show(outcome, advice, message, trailers) {
  byId("outcome").textContent = outcome;
  byId("advice").textContent = advice;
  byId("message").textContent = message;
  byId("trailers").replaceChildren(
    ...trailers.flatMap(([name, value]) => [
      element("dt", { textContent: name.slice("trailer-".length) }),
      element("dd", { textContent: value }),
    ]),
  );
  byId("answer").hidden = false;
}

function curlCommand(path, headers, body) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  return ["curl", CERTIFICATE, ...parts, `-d ${quoted(body)}`, quoted(location.origin + path)].join(" \\\n  ");
}

async function begin() {
  const began = performance.now();
  const response = await fetch("/openapi.json");
  if (!response.ok) {
    // There is nothing to choose from then; what was answered says what to do.
    showAnswer(response, await response.text(), performance.now() - began);
    return;
  }
  const openapi = await response.json();
  listMethods(openapi);
  showMethod(openapi);
  byId("method").addEventListener("change", () => showMethod(openapi));
  byId("call").addEventListener("submit", call);
}

begin().catch(showFailure);
