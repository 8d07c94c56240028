//! The part of Datadog's query language the lab understands:
//!
//! `avg:metric{tag:value,!tag:value,tag:pre*} by {tag,tag}.as_count().rollup(sum, 20)`,
//! several of them and numbers joined by `+ - * /` and parentheses, several such expressions separated by commas.

use std::fmt;

/// How values are put together, in time or in space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    Avg,
    Sum,
    Min,
    Max,
    Count,
}

/// A value computed from metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Number(f64),
    Metric(MetricQuery),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// One metric, filtered, grouped and aggregated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricQuery {
    /// Over the series of a group; absent means the average.
    pub space: Option<Aggregation>,
    pub metric: String,
    pub filters: Vec<Filter>,
    pub by: Vec<String>,
    pub modifier: Option<Modifier>,
    pub rollup: Option<Rollup>,
}

/// A condition on a series' tags. A `*` in the tag stands for any letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub tag: String,
    pub negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    AsCount,
    AsRate,
}

/// `.rollup(aggregation, seconds)`, either of which may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    pub time: Option<Aggregation>,
    pub interval_s: Option<i64>,
}

/// What could not be understood, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    expected: &'static str,
    rest: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, rest } = self;
        if rest.is_empty() {
            write!(formatter, "expected {expected}, but the query ends")
        } else {
            write!(formatter, "expected {expected} at {rest:?}")
        }
    }
}

type Parsed<T> = Result<T, Problem>;

/// Deeper nesting than any query has.
const DEEPEST: usize = 32;

/// Parses one or more expressions separated by commas.
pub fn parse(text: &str) -> Parsed<Vec<Expression>> {
    let mut parser = Parser {
        rest: text,
        depth: 0,
    };
    let mut expressions = vec![parser.sum()?];
    while parser.take(",") {
        expressions.push(parser.sum()?);
    }
    if parser.is_done() {
        Ok(expressions)
    } else {
        Err(parser.problem("an operator or the end"))
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Parsed<Expression> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take("+") {
                Operator::Add
            } else if self.take("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Expression::Binary(Box::new(left), operator, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expression> {
        let mut left = self.operand()?;
        loop {
            let operator = if self.take("*") {
                Operator::Multiply
            } else if self.take("/") {
                Operator::Divide
            } else {
                return Ok(left);
            };
            left = Expression::Binary(Box::new(left), operator, Box::new(self.operand()?));
        }
    }

    fn operand(&mut self) -> Parsed<Expression> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(self.problem("fewer parentheses"));
            }
            let inner = self.sum()?;
            self.need(")", "a closing parenthesis")?;
            self.depth -= 1;
            return Ok(inner);
        }
        if self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            let number = self.word(|letter| letter.is_ascii_digit() || letter == '.');
            return number
                .parse()
                .map(Expression::Number)
                .map_err(|_| self.problem("a number"));
        }
        self.metric().map(Expression::Metric)
    }

    fn metric(&mut self) -> Parsed<MetricQuery> {
        let mut query = MetricQuery::default();
        let mut name = self.word(is_metric_letter);
        if self.rest.starts_with(':') {
            query.space = Some(
                aggregation(name)
                    .ok_or_else(|| self.problem("avg, sum, min, max or count before"))?,
            );
            self.take(":");
            name = self.word(is_metric_letter);
        }
        if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return Err(self.problem("a metric's name"));
        }
        query.metric = name.to_owned();
        self.need(
            "{",
            "tags in braces after the metric's name (`{*}` for all)",
        )?;
        query.filters = self.filters()?;
        if self.take("by ") || self.take("by{") {
            // `by {host}` and `by{host}` are both written.
            self.take("{");
            query.by = self.keys()?;
        }
        while self.take(".") {
            self.modify(&mut query)?;
        }
        Ok(query)
    }

    fn filters(&mut self) -> Parsed<Vec<Filter>> {
        let mut filters = Vec::new();
        loop {
            let negated = self.take("!") || self.take("NOT ");
            let tag = self.word(is_tag_letter);
            if tag.is_empty() {
                return Err(self.problem("a tag such as host:web-1, or *"));
            }
            if tag != "*" {
                filters.push(Filter {
                    tag: tag.to_lowercase(),
                    negated,
                });
            }
            if self.take("}") {
                return Ok(filters);
            }
            if !(self.take(",") || self.take("AND ")) {
                return Err(self.problem("a comma, AND, or a closing brace"));
            }
        }
    }

    fn keys(&mut self) -> Parsed<Vec<String>> {
        let mut keys = Vec::new();
        loop {
            let key = self.word(is_tag_letter);
            if key.is_empty() {
                return Err(self.problem("a tag's name such as host"));
            }
            keys.push(key.to_owned());
            if self.take("}") {
                return Ok(keys);
            }
            self.need(",", "a comma or a closing brace")?;
        }
    }

    fn modify(&mut self, query: &mut MetricQuery) -> Parsed<()> {
        if self.take("as_count()") {
            query.modifier = Some(Modifier::AsCount);
        } else if self.take("as_rate()") {
            query.modifier = Some(Modifier::AsRate);
        } else if self.take("rollup(") {
            query.rollup = Some(self.rollup()?);
        } else {
            return Err(self.problem("as_count(), as_rate() or rollup(…)"));
        }
        Ok(())
    }

    fn rollup(&mut self) -> Parsed<Rollup> {
        let word = self.word(|letter| letter.is_ascii_alphanumeric());
        let time = aggregation(word);
        let seconds = if time.is_some() && self.take(",") {
            Some(self.word(|letter| letter.is_ascii_digit()))
        } else if time.is_none() {
            Some(word)
        } else {
            None
        };
        let interval_s = match seconds.map(str::parse::<i64>) {
            None => None,
            Some(Ok(seconds)) if seconds > 0 => Some(seconds),
            Some(_) => return Err(self.problem("a number of seconds above 0 in rollup(…)")),
        };
        self.need(")", "a closing parenthesis")?;
        Ok(Rollup { time, interval_s })
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest.chars().next()
    }

    fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let Some(rest) = self.rest.strip_prefix(token) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn need(&mut self, token: &str, expected: &'static str) -> Parsed<()> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.problem(expected))
        }
    }

    /// The letters up to the first that does not belong; may be empty.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.skip_space();
        let end = self
            .rest
            .find(|letter| !belongs(letter))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn problem(&self, expected: &'static str) -> Problem {
        Problem {
            expected,
            rest: self.rest.chars().take(40).collect(),
        }
    }
}

fn aggregation(word: &str) -> Option<Aggregation> {
    Some(match word {
        "avg" => Aggregation::Avg,
        "sum" => Aggregation::Sum,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        _ => return None,
    })
}

fn is_metric_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.')
}

fn is_tag_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':' | '/' | '*')
}

#[cfg(test)]
mod tests;
