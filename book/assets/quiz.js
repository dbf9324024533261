// The quizzes: a chosen answer shows its explanation, and a line counts the right ones.
// Without this file the explanations stand in a <details> under each question.
for (const quiz of document.querySelectorAll(".quiz")) {
  const questions = [...quiz.querySelectorAll("fieldset")];

  const count = () => {
    const chosen = questions.flatMap((q) => [...q.querySelectorAll("input:checked")]);
    const right = chosen.filter((input) => "right" in input.dataset).length;
    const open = questions.length - chosen.length;
    quiz.querySelector(".quiz-score").textContent =
      `${right} of ${questions.length} right${open ? `, ${open} still open` : ""}.`;
  };

  for (const question of questions) {
    const reply = question.querySelector(".quiz-reply");
    const details = question.querySelector("details");
    const places = [...details.querySelectorAll("li")];
    const explanations = places.map((place) => place.firstElementChild);
    details.hidden = true;
    question.querySelectorAll("input").forEach((input, i) => {
      input.addEventListener("change", () => {
        // moved, not copied, so that ids stay unique; and back again, when another is asked for
        explanations.forEach((each, j) => places[j].append(each));
        reply.replaceChildren(explanations[i]);
        reply.classList.toggle("quiz-right", "right" in input.dataset);
        count();
      });
    });
  }
}
