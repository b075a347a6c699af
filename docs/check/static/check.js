// The page "Check a trust policy": the form calls `check` of check_policy.py in Pyodide and shows its result.
//
// Python runs on the page's own thread. A worker would be under the content security policy of its own
// response, which a static site cannot set, and not under that of the page.

const ISSUERS = {
  eks: {
    issuer: "",
    audience: "sts.amazonaws.com",
    subject: "shop/reports",
    subjectHint: "The service account as NAMESPACE/NAME, or the token of a pod.",
    issuerExample: "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE",
    issuerHint: "Printed by: aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer",
  },
  github: {
    issuer: "https://token.actions.githubusercontent.com",
    audience: "sts.amazonaws.com",
    subject: "repo:acme/shop:ref:refs/heads/main",
    subjectHint: "The claim sub of the job’s token, or the token.",
    issuerHint: "Another one for GitHub Enterprise Server: https://HOST/_services/token",
  },
  gitlab: {
    issuer: "https://gitlab.com",
    audience: "https://gitlab.com",
    subject: "project_path:acme/shop:ref_type:branch:ref:main",
    subjectHint: "The claim sub of the job’s token, or the token.",
    issuerHint: "For your own GitLab, its URL. The audience is aud below id_tokens in the job.",
  },
  other: {
    issuer: "",
    audience: "sts.amazonaws.com",
    subject: "client@clients",
    subjectHint: "The claim sub of the token, or the token.",
    issuerExample: "https://issuer.example.com",
    issuerHint: "The claim iss of the token.",
  },
};

const CLUSTER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
// The namespace has a typo.
const EXAMPLE = {
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${CLUSTER}` },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition: {
        StringEquals: {
          [`${CLUSTER}:aud`]: "sts.amazonaws.com",
          [`${CLUSTER}:sub`]: "system:serviceaccount:shpo:reports",
        },
      },
    },
  ],
};

const at = (id) => document.getElementById(id);
const form = at("check");
const identity = at("identity");
const result = at("result");

/** Make an element of text and elements; text from the form is never read as HTML. */
function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function choose() {
  const chosen = ISSUERS[form.elements.namedItem("issuer").value];
  identity.placeholder = chosen.subject;
  at("identity-hint").textContent = chosen.subjectHint;
  at("issuer").value = chosen.issuer;
  at("issuer").placeholder = chosen.issuerExample ?? chosen.issuer;
  at("issuer-hint").textContent = chosen.issuerHint;
  at("audience").value = chosen.audience;
}

/** Hide what a token says itself. */
function hideClaims() {
  // It may come from a header or from JSON.
  const isToken = /^\s*(Bearer )?[\s"]*eyJ/.test(identity.value);
  for (const field of form.querySelectorAll("[data-subject]")) {
    field.hidden = isToken;
    field.querySelector("input").disabled = isToken;
  }
}

function fillIn() {
  form.elements.namedItem("issuer").value = "eks";
  choose();
  identity.value = "shop/reports";
  at("issuer").value = `https://${CLUSTER}`;
  at("role").value = "arn:aws:iam::123456789012:role/reports";
  at("policy").value = JSON.stringify(EXAMPLE, null, 2);
  hideClaims();
}

/** Make a block of text with a title and a button that copies the text. */
function block(title, pre) {
  const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      // The browser may not allow it; then one key is left to press.
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return [make("div", { className: "title" }, title, button), pre];
}

function code(title, lines, name) {
  const shown = lines.map(([line, marked]) => {
    const made = make(marked ? "mark" : "span", {}, `${line}\n`);
    made.style.setProperty("--column", `${line.search(/\S/)}ch`);
    return made;
  });
  return make("div", { className: `block ${name}` }, ...block(make("h3", {}, title), make("pre", {}, ...shown)));
}

function finding(found) {
  const made = make("li", { className: `finding ${found.severity}` },
    make("p", { className: "label" },
      make("a", { href: `reference/checks.html#${found.id.toLowerCase()}` }, found.id), ` ${found.severity}`),
    make("p", {}, found.message));
  if (found.fix) {
    made.append(make("div", { className: "fix" }, ...block(make("h4", {}, "Fix"), make("pre", {}, found.fix))));
  }
  return made;
}

function shown(found) {
  if (found.error) {
    return [make("div", { className: "verdict error" }, make("h2", {}, "Not checked"), make("p", {}, found.error))];
  }
  // An allowed token that has expired, or a policy that allows more, is not shown as if all were well.
  const warns = found.notes.length > 0 || found.findings.some(({ severity }) => severity === "warning");
  const tone = found.verdict === "allow" && warns ? "unknown" : found.verdict;
  const asked = Object.entries(found.asked).flatMap(([what, value]) => [make("dt", {}, what), make("dd", {}, value)]);
  const parts = [
    make("div", { className: `verdict ${tone}` }, make("h2", {}, found.summary)),
    ...found.notes.map((note) => make("p", { className: "note" }, note)),
    make("ul", { className: "findings" }, ...found.findings.map(finding)),
    make("dl", { className: "asked" }, ...asked),
    code("Your policy", found.policy, `policy ${tone}`),
  ];
  if (found.fixed) {
    parts.push(code("Corrected policy", found.fixed, "fixed"));
  }
  parts.push(make("p", { className: "caveat" }, found.caveat));
  return parts;
}

async function load() {
  const here = (name) => new URL(name, import.meta.url).href;
  const [{ loadPyodide }, library] = await Promise.all([
    import(here("pyodide/pyodide.mjs")),
    // Its name is the same in each version.
    fetch(here("library.zip"), { cache: "no-cache" }).then((response) => response.arrayBuffer()),
  ]);
  const python = await loadPyodide({ indexURL: here("pyodide/") });
  python.FS.writeFile("/library.zip", new Uint8Array(library));
  python.pyimport("sys").path.append("/library.zip");
  return python.pyimport("check_policy").check;
}

form.addEventListener("change", (event) => {
  if (event.target.name === "issuer") {
    choose();
  }
});
identity.addEventListener("input", hideClaims);
at("example").addEventListener("click", fillIn);
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    form.requestSubmit();
  }
});
choose();

let check = null;
form.addEventListener("submit", (event) => {
  // Also before Python has loaded: the browser would leave the page.
  event.preventDefault();
  if (check) {
    const values = ["policy", "identity", "issuer", "audience", "role"].map((id) => at(id).value);
    result.replaceChildren(...shown(JSON.parse(check(...values))));
    result.hidden = false;
    result.focus();
  }
});

try {
  check = await load();
  form.querySelector("[type=submit]").disabled = false;
  at("state").textContent = "";
} catch (error) {
  at("state").textContent = "Python did not load. On the command line, irsa-creds explain says the same.";
  console.error(error);
}
