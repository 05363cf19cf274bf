// Tables that are wider than the window can be scrolled with the keys: they take the focus, under the name of their heading.
document.querySelectorAll(".wide").forEach((box) => {
  const headings = [...document.querySelectorAll("h2, h3, summary")];
  const above = headings.filter((each) => each.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING);
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", tr("Table: {name}", { name: above[above.length - 1].textContent.trim() }));
});
