// A quiz: a question per fieldset of radio buttons. A chosen answer shows its explanation, and a line counts the right ones.

const render = ({ model, el }) => {
  el.classList.add("gm-explorer", "gm-quiz");
  const bytes = Uint8Array.from(atob(model.get("content")), (character) => character.charCodeAt(0));
  const questions = JSON.parse(new TextDecoder().decode(bytes));
  const score = element("p", { class: "gm-score", role: "status" });

  const parts = questions.map((question, number) => {
    const group = uniqueGroup();
    const reply = element("div", { class: "gm-reply", "aria-live": "polite" });
    const inputs = question.answers.map((_, index) => {
      const input = element("input", { type: "radio", name: group, id: `${group}-${index}`, autocomplete: "off" });
      input.addEventListener("change", () => {
        model.set("chosen", { ...model.get("chosen"), [number]: index });
        model.save_changes();
        draw();
      });
      return input;
    });
    const legend = element("legend");
    legend.innerHTML = `${number + 1}. ${question.text}`;
    const list = element("ol");
    question.answers.forEach((answer, index) => {
      const letter = element("span", { class: "gm-letter" }, "abcdefgh"[index]); // so that a formula alone has a name, too
      const text = element("span");
      text.innerHTML = answer.text;
      list.append(element("li", {}, inputs[index], element("label", { for: inputs[index].id }, letter, text)));
    });
    el.append(element("fieldset", {}, legend, list, reply));
    return { inputs, reply };
  });
  el.append(score);

  const draw = () => {
    const chosen = model.get("chosen");
    let right = 0;
    questions.forEach((question, number) => {
      const { inputs, reply } = parts[number];
      const index = chosen[number];
      inputs.forEach((input, i) => {
        input.checked = i === index;
      });
      const isRight = index === question.right;
      right += isRight;
      const why = index === undefined ? "" : `<strong>${isRight ? "Right." : "No."}</strong> ${question.answers[index].why}`;
      if (reply.dataset.shown !== why) reply.innerHTML = why; // else a screen reader would read it again
      reply.dataset.shown = why;
      reply.classList.toggle("gm-right", isRight);
    });
    const open = questions.length - Object.keys(chosen).length;
    score.textContent = open < questions.length ? `${right} of ${questions.length} right${open ? `, ${open} still open` : ""}.` : "";
  };
  draw();
  model.on("change:chosen", draw);
  return () => model.off("change:chosen", draw);
};
export default { render };
