"""Plot the features that classifiers of several students read, side by side by t-SNE.

Example:
    mmkd analyse tsne alone=work_dirs/none_0 dhkd=work_dirs/dhkd_0

All students get the same images, and layouts start from principal components, so that
they are deterministic. Each plot shows the silhouette of its features, which compares
the distances between classes with their widths.
"""

import argparse

from mmkd.analysis.embedding import draw, embed
from mmkd.analysis.features import Features, chosen_of, features_of
from mmkd.analysis.trained import labelled, trained
from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.cli.pictures import add_run_options, write


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    add_run_options(parser, 'trainings', 'tsne.png', images=5000)
    parser.add_argument(
        '--classes', type=positive, default=10, help='classes to plot (10)'
    )
    parser.add_argument(
        '--points', type=positive, default=1000, help='total number (1000)'
    )
    return parser.parse_args()


def main() -> None:
    """Collect, lay out, draw.

    Raises:
        ValueError: If the students were validated on different images or positions.
    """
    args = parse_args()
    embeddings, chosen, labels, names = {}, None, None, []
    for label, folder in labelled(args.runs).items():
        student = trained(folder, alone=True, data_root=args.data_root)
        found = features_of(student, args.images, args.positions)
        if chosen is None or labels is None:
            names, labels = student.classes, found.labels
            chosen = chosen_of(labels, args.classes, args.points)
        elif not found.labels.equal(labels):
            raise ValueError(
                f'{folder} was validated on other images than {args.runs[0]}, or '
                'its maps have another size.'
            )
        kept = Features(found.vectors[chosen], labels[chosen])
        embeddings[label] = embed(kept)
        print(f'{label}: silhouette {embeddings[label].silhouette:.3f}', flush=True)
    assert labels is not None
    silhouettes = {name: found.silhouette for name, found in embeddings.items()}
    write(draw(embeddings, labels[chosen], names), args.out, silhouettes=silhouettes)


if __name__ == '__main__':
    with ending_in_words():
        main()
