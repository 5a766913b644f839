const alerts = [...document.querySelectorAll("details.alert")];
const tools = document.getElementById("tools");
if (tools) {
  const find = document.getElementById("find"), host = document.getElementById("host");
  const severities = [...document.getElementsByName("severity")], count = document.getElementById("count");
  const filter = () => {
    const wanted = find.value.toLowerCase(), shown = new Set(severities.filter(s => s.checked).map(s => s.value));
    for (const alert of alerts) {
      const text = alert.parentElement.querySelector("h3").textContent + " " + alert.querySelector("summary").textContent;
      alert.hidden = !shown.has(alert.dataset.severity) || (host.value !== "" && !alert.dataset.hosts.split(" ").includes(host.value))
        || !text.toLowerCase().includes(wanted);
    }
    for (const group of document.querySelectorAll(".rule, .tactic"))
      group.hidden = !group.querySelector("details.alert:not([hidden])");
    for (const mark of document.querySelectorAll(".track a"))
      mark.hidden = document.getElementById(mark.hash.slice(1)).hidden;
    for (const lane of document.querySelectorAll(".lane"))
      lane.hidden = !lane.querySelector(".track a:not([hidden])");
    for (const lanes of document.querySelectorAll(".lanes")) {
      lanes.hidden = !lanes.querySelector(".lane:not([hidden])");
      if (host.value !== "") lanes.open = true;
    }
    const left = alerts.filter(alert => !alert.hidden).length;
    count.textContent = left === alerts.length ? "" : `${left.toLocaleString("en")} of ${alerts.length.toLocaleString("en")} shown`;
  };
  tools.addEventListener("input", filter);
  filter();  // a reload keeps what was chosen
  document.getElementById("open").onclick = () => alerts.forEach(a => a.open = !a.hidden);
  document.getElementById("close").onclick = () => alerts.forEach(a => a.open = false);
}
const reveal = () => { const target = document.getElementById(location.hash.slice(1)); if (target && target.matches("details")) target.open = true; };
addEventListener("hashchange", reveal); reveal();
